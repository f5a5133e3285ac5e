"""What is sealed is opened only in its place, with the key."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from mediaserver.kernel.errors import Invalid, Unavailable
from mediaserver.kernel.vault import KEY_FILE, Vault


def test_sealed_and_opened() -> None:
    vault = Vault(bytes(32))
    sealed = vault.seal("geheim ü", "totp/usr_1")
    assert "geheim" not in sealed
    assert vault.unseal(sealed, "totp/usr_1") == "geheim ü"
    assert vault.seal("geheim ü", "totp/usr_1") != sealed


@pytest.mark.parametrize(
    "sealed",
    [
        "",
        "v1.",
        "v1.!!!",
        "v2.AAAA",
        "v1." + "A" * 80,
        "plain",
    ],
)
def test_what_was_never_sealed(sealed: str) -> None:
    with pytest.raises(Unavailable):
        Vault(bytes(32)).unseal(sealed, "x")


def test_another_place_another_key_another_byte() -> None:
    vault = Vault(bytes(32))
    sealed = vault.seal("secret", "totp/usr_1")
    with pytest.raises(Unavailable):
        vault.unseal(sealed, "totp/usr_2")
    with pytest.raises(Unavailable):
        Vault(b"\1" * 32).unseal(sealed, "totp/usr_1")
    raw = bytearray(base64.urlsafe_b64decode(sealed[3:]))
    raw[-1] ^= 1
    with pytest.raises(Unavailable):
        vault.unseal("v1." + base64.urlsafe_b64encode(bytes(raw)).decode(), "totp/usr_1")


def test_keyed_hashes_depend_on_place_and_key() -> None:
    vault = Vault(bytes(32))
    macs = {
        vault.mac("12345678", "a"),
        vault.mac("12345678", "b"),
        vault.mac("12345679", "a"),
        Vault(b"\1" * 32).mac("12345678", "a"),
    }
    assert len(macs) == 4
    assert vault.mac("12345678", "a") in macs


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    sealed = Vault.open(tmp_path).seal("secret", "x")
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert Vault.open(tmp_path).unseal(sealed, "x") == "secret"


def test_a_key_from_the_settings(tmp_path: Path) -> None:
    key = base64.urlsafe_b64encode(b"k" * 32).decode()
    sealed = Vault.open(tmp_path, key).seal("secret", "x")
    assert not (tmp_path / KEY_FILE).exists()
    assert Vault(b"k" * 32).unseal(sealed, "x") == "secret"


@pytest.mark.parametrize("key", ["short", "!" * 44, base64.urlsafe_b64encode(bytes(31)).decode()])
def test_wrong_keys(tmp_path: Path, key: str) -> None:
    with pytest.raises(Invalid):
        Vault.open(tmp_path, key)
    (tmp_path / KEY_FILE).write_text(key)
    with pytest.raises(Invalid):
        Vault.open(tmp_path)


def test_a_folder_that_cant_be_written(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        Vault.open(tmp_path / "missing")
