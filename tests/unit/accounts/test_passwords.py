"""Password rules, and hashes behind a bounded queue."""

from __future__ import annotations

import asyncio

import pytest
from argon2 import PasswordHasher

from mediaserver.accounts.passwords import _COMMON, Passwords, check_rules
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Invalid, Unavailable


@pytest.mark.parametrize(
    "password", ["correct horse", "x7#kP2!q", "пароль-длинный", "🐎🔋📎✔️🐴🐎🔋📎", "a b" * 85]
)
def test_good_passwords(password: str) -> None:
    check_rules(password)


@pytest.mark.parametrize(
    "password", ["", "short12", "a" * 257, "password1", "PASSWORD1", "12345678", "abababab"]
)
def test_bad_passwords(password: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_rules(password)
    assert caught.value.field == "password"


def test_a_password_is_not_the_name() -> None:
    with pytest.raises(Invalid):
        check_rules("Alice_Wonder", personal=("alice_wonder", "alice@example.org"))


@pytest.mark.parametrize(
    "password", ["alice2024!", "123Alice123", "OurSite99", "our site!!", "12streamer"]
)
def test_a_password_is_no_name_with_a_number(password: str) -> None:
    with pytest.raises(Invalid):
        check_rules(password, personal=("alice", "alice@example.org", "Our Site"))


def test_names_of_two_letters_and_longer_phrases_are_no_matter() -> None:
    check_rules("83al9284", personal=("al", ""))
    check_rules("alice likes long phrases", personal=("alice",))


def test_any_composition_will_do() -> None:
    for password in (
        "kvodtwpm",
        "KVODTWPM",
        "73910468",
        "?!.,;:-_",
        "kvod twpm",
        "x" * 9 + "yzzy" * 20,
    ):
        check_rules(password)


def test_the_list_of_common_passwords_is_long_enough() -> None:
    """ASVS 5.0 6.2.4 asks for 3,000 of at least the length that we ask for."""
    assert len([word for word in _COMMON if len(word) >= limits.PASSWORD_CHARS_MIN]) > 10_000
    assert all(word == word.casefold() for word in _COMMON)
    for word in ("password1", "trustno1", "jennifer1", "liverpool1"):
        assert word in _COMMON


async def test_parameters_are_what_the_documentation_says(passwords: Passwords) -> None:
    stored = await passwords.hash("correct horse")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert not passwords.is_outdated(stored)
    weaker = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("correct horse")
    assert passwords.is_outdated(weaker)
    assert await passwords.verify(weaker, "correct horse")


async def test_verify(passwords: Passwords) -> None:
    stored = await passwords.hash("correct horse")
    assert await passwords.verify(stored, "correct horse")
    assert not await passwords.verify(stored, "correct horsf")
    assert not await passwords.verify("nonsense", "correct horse")
    assert not await passwords.verify(None, "correct horse")
    assert not await passwords.verify(None, "no account has this password")


async def test_two_ways_to_type_the_same_letter(passwords: Passwords) -> None:
    assert await passwords.verify(await passwords.hash("pässword-lang"), "pässword-lang")


async def test_a_full_queue_is_an_answer(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PASSWORD_WAITING_MAX", 3)
    results = await asyncio.gather(
        *(passwords.hash("correct horse") for _ in range(5)), return_exceptions=True
    )
    assert [isinstance(result, Unavailable) for result in results] == [False] * 3 + [True] * 2
    await passwords.hash("correct horse")


async def test_nobody_fills_the_queue_for_others(passwords: Passwords) -> None:
    """With right passwords neither: they cost no attempt."""
    hashes = [passwords.hash("correct horse", network="6.6.6.6") for _ in range(20)]
    checks = [passwords.verify("nonsense", "correct horse", network="6.6.6.6") for _ in range(20)]
    *results, other = await asyncio.gather(
        *hashes, *checks, passwords.hash("correct horse", network="1.1.1.1"), return_exceptions=True
    )
    refused = [result for result in results if isinstance(result, Unavailable)]
    assert len(results) - len(refused) == limits.PASSWORD_WAITING_PER_NETWORK_MAX
    assert isinstance(other, str)
    await passwords.hash("correct horse", network="6.6.6.6")


async def test_callers_that_give_up_keep_their_place_until_the_thread_is_done(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PASSWORD_WAITING_MAX", 2)
    callers = [asyncio.create_task(passwords.hash("correct horse")) for _ in range(2)]
    await asyncio.sleep(0)
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    with pytest.raises(Unavailable):
        await passwords.hash("correct horse")
