"""Access and refresh tokens of API clients."""

from __future__ import annotations

import asyncio
import base64
import json

import jwt
import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from mediaserver.accounts.tokens import TokenPair, Tokens
from mediaserver.accounts.users import User
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database, values
from mediaserver.kernel.errors import Unauthorized
from mediaserver.kernel.vault import Vault


@pytest.fixture
async def tokens(db: Database, clock: FakeClock, vault: Vault) -> Tokens:
    return await Tokens.open(db, clock, vault)


async def _issue(tokens: Tokens, user: User) -> TokenPair:
    return await tokens.issue(user, address="1.1.1.1", user_agent="x")


async def _user(tokens: Tokens, access_token: str) -> User:
    return (await tokens.find(access_token)).user


async def test_issue_and_use(tokens: Tokens, alice: User, bob: User) -> None:
    pair, other = (
        await _issue(tokens, alice),
        await _issue(tokens, bob),
    )
    assert await _user(tokens, pair.access_token) == alice
    assert await _user(tokens, other.access_token) == bob
    assert pair.expires_in_s == 600


async def test_access_expires(tokens: Tokens, alice: User, clock: FakeClock) -> None:
    pair = await _issue(tokens, alice)
    clock.advance((limits.ACCESS_TOKEN_S - 1) * 1000)
    assert await _user(tokens, pair.access_token) == alice
    clock.advance(1000)
    with pytest.raises(Unauthorized) as caught:
        await _user(tokens, pair.access_token)
    assert caught.value.code == "token_expired"


async def test_refresh_works_once_and_reuse_ends_the_family(tokens: Tokens, alice: User) -> None:
    first = await _issue(tokens, alice)
    second = await tokens.refresh(first.refresh_token)
    third = await tokens.refresh(second.refresh_token)
    assert await _user(tokens, third.access_token) == alice
    with capture_logs() as lines, pytest.raises(Unauthorized):
        await tokens.refresh(first.refresh_token)  # the thief, or the robbed one
    (line,) = lines
    assert (line["event"], line["user"]) == ("refresh token used twice, family ended", alice.id)
    for pair in (first, second, third):
        with pytest.raises(Unauthorized):
            await tokens.refresh(pair.refresh_token)
        with pytest.raises(Unauthorized):
            await _user(tokens, pair.access_token)


async def test_another_log_in_is_another_family(tokens: Tokens, alice: User) -> None:
    one, two = (
        await _issue(tokens, alice),
        await _issue(tokens, alice),
    )
    await tokens.revoke(one.refresh_token)
    with pytest.raises(Unauthorized):
        await _user(tokens, one.access_token)
    assert await _user(tokens, two.access_token) == alice
    await tokens.revoke_access(two.access_token)
    with pytest.raises(Unauthorized):
        await tokens.refresh(two.refresh_token)


async def test_two_refreshes_at_once_give_one_pair(tokens: Tokens, alice: User) -> None:
    pair = await _issue(tokens, alice)
    results = await asyncio.gather(
        *(tokens.refresh(pair.refresh_token) for _ in range(4)), return_exceptions=True
    )
    assert sum(isinstance(result, Unauthorized) for result in results) == 3


async def test_refresh_tokens_expire(tokens: Tokens, alice: User, clock: FakeClock) -> None:
    pair = await _issue(tokens, alice)
    clock.advance(limits.REFRESH_TOKEN_MS)
    with pytest.raises(Unauthorized):
        await tokens.refresh(pair.refresh_token)


async def test_refreshing_goes_on_for_ninety_days_and_no_longer(
    tokens: Tokens, alice: User, clock: FakeClock
) -> None:
    pair = await _issue(tokens, alice)
    for _ in range(4):
        clock.advance(limits.REFRESH_ABSOLUTE_MS // 4 - 1)
        pair = await tokens.refresh(pair.refresh_token)
    clock.advance(4)
    with pytest.raises(Unauthorized):
        await tokens.refresh(pair.refresh_token)


async def test_expired_families_are_removed(
    tokens: Tokens, alice: User, clock: FakeClock, db: Database
) -> None:
    await _issue(tokens, alice)
    clock.advance(limits.REFRESH_TOKEN_MS)
    fresh = await _issue(tokens, alice)
    await tokens.delete_expired()
    count = text("SELECT count(*) FROM refresh_token")
    assert await db.read(lambda tx: tx.execute(count).scalar()) == 1
    assert await _user(tokens, fresh.access_token) == alice


async def _secret(db: Database, vault: Vault) -> str:
    sealed = await db.read(values.get, "token_signing_secret")
    assert sealed is not None
    return vault.unseal(sealed, "token_signing_secret")


async def test_the_secret_is_made_once_and_sealed(
    db: Database, clock: FakeClock, vault: Vault, alice: User
) -> None:
    one, two = await Tokens.open(db, clock, vault), await Tokens.open(db, clock, vault)
    pair = await _issue(one, alice)
    assert await _user(two, pair.access_token) == alice
    secret = await _secret(db, vault)
    assert len(secret) >= 64
    assert secret not in (await db.read(values.get, "token_signing_secret") or "")


async def test_another_master_key_makes_another_secret(
    db: Database, clock: FakeClock, vault: Vault, alice: User
) -> None:
    """The site starts all the same, and programs go on with their refresh tokens."""
    pair = await _issue((await Tokens.open(db, clock, vault)), alice)
    tokens = await Tokens.open(db, clock, Vault(b"another master key of 32 bytes!!"))
    with pytest.raises(Unauthorized):
        await _user(tokens, pair.access_token)
    fresh = await tokens.refresh(pair.refresh_token)
    assert await _user(tokens, fresh.access_token) == alice


async def _forged(tokens: Tokens, alice: User, secret: str) -> dict[str, str]:
    pair = await _issue(tokens, alice)
    claims = jwt.decode(pair.access_token, options={"verify_signature": False})

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    unsigned = f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}."
    header, _, signature = pair.access_token.split(".")
    return {
        "unsigned": unsigned,
        "changed": f"{header}.{part({**claims, 'sub': 'usr_other'})}.{signature}",
        "other secret": jwt.encode(claims, "x" * 64, "HS256"),
        "other algorithm": jwt.encode(claims, secret, "HS512"),
        "other audience": jwt.encode({**claims, "aud": "other"}, secret, "HS256"),
        "other issuer": jwt.encode({**claims, "iss": "other"}, secret, "HS256"),
        "other type": jwt.encode({**claims, "typ": "refresh"}, secret, "HS256"),
        "other family": jwt.encode({**claims, "fam": "fam_x"}, secret, "HS256"),
        "other user": jwt.encode({**claims, "sub": "usr_x"}, secret, "HS256"),
        "no expiry": jwt.encode(
            {key: value for key, value in claims.items() if key != "exp"}, secret, "HS256"
        ),
        "text expiry": jwt.encode({**claims, "exp": "9999999999"}, secret, "HS256"),
        "refresh as access": pair.refresh_token,
        "empty": "",
        "dots": "..",
        "bytes": "\udcff",
        "bytes between": pair.access_token.replace(".", "\udcff.", 1),
        "long": "x" * 100_000,
    }


async def test_forged_tokens(tokens: Tokens, alice: User, db: Database, vault: Vault) -> None:
    accepted = []
    for name, token in (await _forged(tokens, alice, await _secret(db, vault))).items():
        try:
            await _user(tokens, token)
        except Unauthorized:
            continue
        accepted.append(name)
    assert accepted == []


async def test_nothing_readable_is_stored(tokens: Tokens, alice: User, db: Database) -> None:
    pair = await _issue(tokens, alice)
    rows = await db.read(lambda tx: str(tx.execute(text("SELECT * FROM refresh_token")).all()))
    assert pair.refresh_token not in rows


async def test_an_admins_program_that_was_away_has_to_confirm_anew(
    tokens: Tokens, admin: User, alice: User, clock: FakeClock
) -> None:
    desk, other = await _issue(tokens, admin), await _issue(tokens, alice)
    began_ms = clock.wall_ms()

    async def confirmed_at_ms(pair: TokenPair) -> int:
        return (await tokens.find(pair.access_token)).confirmed_at_ms

    for _ in range(3):
        clock.advance((limits.ACCESS_TOKEN_S - 1) * 1000)
        assert await confirmed_at_ms(desk) == began_ms, "still at work"
        desk = await tokens.refresh(desk.refresh_token)
    clock.advance(limits.DESK_IDLE_MS)
    desk = await tokens.refresh(desk.refresh_token)
    other = await tokens.refresh(other.refresh_token)
    for _ in range(2):  # and a second call doesn't make it good
        assert await confirmed_at_ms(desk) == 0
    assert await confirmed_at_ms(other) == began_ms, "nobody else is asked"
    await tokens.confirm(await tokens.find(desk.access_token))
    assert await confirmed_at_ms(desk) == clock.wall_ms()
