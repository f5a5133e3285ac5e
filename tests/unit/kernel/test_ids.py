"""Identifiers and secrets: their shape, their size, and what is stored of them."""

from __future__ import annotations

import base64
import re

import pytest

from mediaserver.kernel import ids, limits


def test_identifiers() -> None:
    made = {ids.new_id("usr") for _ in range(1000)}
    assert len(made) == 1000
    assert all(re.fullmatch(r"usr_[0-9a-hjkmnp-tv-z]{20}", one) for one in made)
    # Every sign is used: 20,000 draws out of 32 miss none.
    assert len(set("".join(one[4:] for one in made))) == 32


@pytest.mark.parametrize(("bits", "count"), [(1, 1), (8, 1), (96, 12), (160, 20), (256, 32)])
def test_secrets_have_at_least_their_bits(bits: int, count: int) -> None:
    secret = ids.new_secret(bits)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", secret)
    assert len(base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4))) == count


def test_secrets_differ() -> None:
    assert len({ids.new_secret() for _ in range(1000)}) == 1000
    assert ids.random_bytes(32) != ids.random_bytes(32)
    assert len(ids.random_bytes(1528)) == 1528


def test_codes_have_their_size_and_differ() -> None:
    """What people type: 10^8 for those that are mailed, 32^10 for those on paper."""
    digits = {ids.new_digits(limits.CODE_DIGITS) for _ in range(1000)}
    assert all(re.fullmatch(r"[0-9]{8}", one) for one in digits)
    assert len(digits) > 990, "of 10^8, two in a thousand draws are rarely alike"
    assert len({one[0] for one in digits}) == 10, "those with zeros before them too"
    words = {ids.new_word(limits.RECOVERY_CODE_CHARS) for _ in range(1000)}
    assert all(re.fullmatch(r"[0-9a-hjkmnp-tv-z]{10}", one) for one in words)
    assert len(words) == 1000
    assert len(set("".join(words))) == 32


def test_digest() -> None:
    assert ids.digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [("x", "x", True), ("x", "y", False), ("", "", True), ("x", "xx", False), ("ž", "ž", True)],
)
def test_same(a: str, b: str, expected: bool) -> None:
    assert ids.same(a, b) is expected
