"""Access and refresh tokens of API clients."""

from __future__ import annotations

import asyncio
import base64
import json

import jwt
import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from mediaserver.accounts.tokens import Tokens
from mediaserver.accounts.users import User
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database, values
from mediaserver.kernel.errors import Unauthorized
from mediaserver.kernel.vault import Vault


@pytest.fixture
async def tokens(db: Database, clock: FakeClock, vault: Vault) -> Tokens:
    return await Tokens.open(db, clock, vault)


async def test_issue_and_use(tokens: Tokens, alice: User, bob: User) -> None:
    pair, other = await tokens.issue(alice), await tokens.issue(bob)
    assert await tokens.user(pair.access_token) == alice
    assert await tokens.user(other.access_token) == bob
    assert pair.expires_in_s == 600


async def test_access_expires(tokens: Tokens, alice: User, clock: FakeClock) -> None:
    pair = await tokens.issue(alice)
    clock.advance((limits.ACCESS_TOKEN_S - 1) * 1000)
    assert await tokens.user(pair.access_token) == alice
    clock.advance(1000)
    with pytest.raises(Unauthorized) as caught:
        await tokens.user(pair.access_token)
    assert caught.value.code == "token_expired"


async def test_refresh_works_once_and_reuse_ends_the_family(tokens: Tokens, alice: User) -> None:
    first = await tokens.issue(alice)
    second = await tokens.refresh(first.refresh_token)
    third = await tokens.refresh(second.refresh_token)
    assert await tokens.user(third.access_token) == alice
    with capture_logs() as lines, pytest.raises(Unauthorized):
        await tokens.refresh(first.refresh_token)  # the thief, or the robbed one
    (line,) = lines
    assert (line["event"], line["user"]) == ("refresh token used twice, family ended", alice.id)
    for pair in (first, second, third):
        with pytest.raises(Unauthorized):
            await tokens.refresh(pair.refresh_token)
        with pytest.raises(Unauthorized):
            await tokens.user(pair.access_token)


async def test_another_log_in_is_another_family(tokens: Tokens, alice: User) -> None:
    one, two = await tokens.issue(alice), await tokens.issue(alice)
    await tokens.revoke(one.refresh_token)
    with pytest.raises(Unauthorized):
        await tokens.user(one.access_token)
    assert await tokens.user(two.access_token) == alice
    await tokens.revoke_access(two.access_token)
    with pytest.raises(Unauthorized):
        await tokens.refresh(two.refresh_token)


async def test_two_refreshes_at_once_give_one_pair(tokens: Tokens, alice: User) -> None:
    pair = await tokens.issue(alice)
    results = await asyncio.gather(
        *(tokens.refresh(pair.refresh_token) for _ in range(4)), return_exceptions=True
    )
    assert sum(isinstance(result, Unauthorized) for result in results) == 3


async def test_refresh_tokens_expire(tokens: Tokens, alice: User, clock: FakeClock) -> None:
    pair = await tokens.issue(alice)
    clock.advance(limits.REFRESH_TOKEN_MS)
    with pytest.raises(Unauthorized):
        await tokens.refresh(pair.refresh_token)


async def test_refreshing_goes_on_for_ninety_days_and_no_longer(
    tokens: Tokens, alice: User, clock: FakeClock
) -> None:
    pair = await tokens.issue(alice)
    for _ in range(4):
        clock.advance(limits.REFRESH_ABSOLUTE_MS // 4 - 1)
        pair = await tokens.refresh(pair.refresh_token)
    clock.advance(4)
    with pytest.raises(Unauthorized):
        await tokens.refresh(pair.refresh_token)


async def test_expired_families_are_removed(
    tokens: Tokens, alice: User, clock: FakeClock, db: Database
) -> None:
    await tokens.issue(alice)
    clock.advance(limits.REFRESH_TOKEN_MS)
    fresh = await tokens.issue(alice)
    await tokens.delete_expired()
    count = text("SELECT count(*) FROM refresh_token")
    assert await db.read(lambda tx: tx.execute(count).scalar()) == 1
    assert await tokens.user(fresh.access_token) == alice


async def _secret(db: Database, vault: Vault) -> str:
    sealed = await db.read(values.get, "token_signing_secret")
    assert sealed is not None
    return vault.unseal(sealed, "token_signing_secret")


async def test_the_secret_is_made_once_and_sealed(
    db: Database, clock: FakeClock, vault: Vault, alice: User
) -> None:
    one, two = await Tokens.open(db, clock, vault), await Tokens.open(db, clock, vault)
    pair = await one.issue(alice)
    assert await two.user(pair.access_token) == alice
    secret = await _secret(db, vault)
    assert len(secret) >= 64
    assert secret not in (await db.read(values.get, "token_signing_secret") or "")


async def test_another_master_key_makes_another_secret(
    db: Database, clock: FakeClock, vault: Vault, alice: User
) -> None:
    """The site starts all the same, and programs go on with their refresh tokens."""
    pair = await (await Tokens.open(db, clock, vault)).issue(alice)
    tokens = await Tokens.open(db, clock, Vault(b"another master key of 32 bytes!!"))
    with pytest.raises(Unauthorized):
        await tokens.user(pair.access_token)
    fresh = await tokens.refresh(pair.refresh_token)
    assert await tokens.user(fresh.access_token) == alice


async def _forged(tokens: Tokens, alice: User, secret: str) -> dict[str, str]:
    pair = await tokens.issue(alice)
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
        "long": "x" * 100_000,
    }


async def test_forged_tokens(tokens: Tokens, alice: User, db: Database, vault: Vault) -> None:
    accepted = []
    for name, token in (await _forged(tokens, alice, await _secret(db, vault))).items():
        try:
            await tokens.user(token)
        except Unauthorized:
            continue
        accepted.append(name)
    assert accepted == []


async def test_nothing_readable_is_stored(tokens: Tokens, alice: User, db: Database) -> None:
    pair = await tokens.issue(alice)
    rows = await db.read(lambda tx: str(tx.execute(text("SELECT * FROM refresh_token")).all()))
    assert pair.refresh_token not in rows
