"""Tokens that people give to their own scripts."""

from __future__ import annotations

import asyncio

import pytest

from mediaserver.accounts import personal_tokens as tokens_module
from mediaserver.accounts.personal_tokens import PREFIX, PersonalTokens, Scope
from mediaserver.accounts.users import User
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Conflict, Invalid, NotFound, Unauthorized


@pytest.fixture
def tokens(db: Database, clock: FakeClock) -> PersonalTokens:
    return PersonalTokens(db, clock)


async def test_made_shown_once_and_used(
    tokens: PersonalTokens, alice: User, clock: FakeClock
) -> None:
    made = await tokens.create(alice, " bot ", [Scope.CHAT, Scope.READ], days=30)
    assert made.secret.startswith(PREFIX)
    assert made.token.hint == made.secret[-4:]
    shown = await tokens.find(made.secret)
    assert (shown.user, shown.token_id) == (alice, made.token.id)
    assert shown.scopes == {Scope.READ, Scope.CHAT}
    (listed,) = await tokens.list(alice)
    assert (listed.name, listed.last_used_at_ms) == ("bot", clock.wall_ms())
    assert made.secret not in repr(listed)


async def test_it_expires(tokens: PersonalTokens, alice: User, clock: FakeClock) -> None:
    made = await tokens.create(alice, "bot", [Scope.READ], days=1)
    clock.advance(86_400_000 - 1)
    await tokens.find(made.secret)
    clock.advance(1)
    with pytest.raises(Unauthorized):
        await tokens.find(made.secret)
    assert await tokens.list(alice) == []


async def test_only_the_owner_revokes(tokens: PersonalTokens, alice: User, bob: User) -> None:
    made = await tokens.create(alice, "bot", [Scope.READ], days=None)
    with pytest.raises(NotFound):
        await tokens.revoke(bob, made.token.id)
    await tokens.revoke(alice, made.token.id)
    with pytest.raises(Unauthorized):
        await tokens.find(made.secret)
    with pytest.raises(NotFound):
        await tokens.revoke(alice, made.token.id)


@pytest.mark.parametrize("token_id", ["", "\0", "\udcff", "ptk_x"])
async def test_what_names_no_token(tokens: PersonalTokens, alice: User, token_id: str) -> None:
    with pytest.raises(NotFound):
        await tokens.revoke(alice, token_id)


@pytest.mark.parametrize(
    "secret", ["", PREFIX, PREFIX + "x" * 43, "x" * 100_000, "\0", "é", PREFIX + "\udcff"]
)
async def test_what_is_no_token(tokens: PersonalTokens, secret: str) -> None:
    with pytest.raises(Unauthorized):
        await tokens.find(secret)


@pytest.mark.parametrize(
    ("name", "scopes", "days", "field"),
    [
        ("", [Scope.READ], 1, "name"),
        ("x" * 41, [Scope.READ], 1, "name"),
        ("a\nb", [Scope.READ], 1, "name"),
        ("bot", [], 1, "scopes"),
        ("bot", [Scope.READ], 0, "expires_in_days"),
        ("bot", [Scope.READ], limits.PERSONAL_TOKEN_DAYS_MAX + 1, "expires_in_days"),
    ],
)
async def test_wrong_wishes(
    tokens: PersonalTokens, alice: User, name: str, scopes: list[Scope], days: int, field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await tokens.create(alice, name, scopes, days=days)
    assert caught.value.field == field


async def test_there_can_be_so_many(
    tokens: PersonalTokens, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PERSONAL_TOKENS_MAX", 2)
    results = await asyncio.gather(
        *(tokens.create(alice, f"bot {n}", [Scope.READ], days=None) for n in range(5)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Conflict) for result in results) == 3
    await tokens.revoke(alice, (await tokens.list(alice))[0].id)
    await tokens.create(alice, "another", [Scope.READ], days=None)


async def test_all_end_at_once(
    tokens: PersonalTokens, alice: User, db: Database, clock: FakeClock
) -> None:
    made = await tokens.create(alice, "bot", [Scope.READ], days=None)
    await db.write(tokens_module.revoke_all, alice.id, clock.wall_ms())
    with pytest.raises(Unauthorized):
        await tokens.find(made.secret)
