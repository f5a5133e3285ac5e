"""Codes of an authenticator app, and recovery codes on paper."""

from __future__ import annotations

import asyncio
import base64

import pyotp
import pytest
from sqlalchemy import select

from mediaserver.accounts.second_factor import SecondFactor, recovery_code, totp
from mediaserver.accounts.users import User
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Conflict, Invalid, RateLimited, Unauthorized
from tests.unit.outbox import Outbox

STEP_MS = 30_000


class App:
    """The app on a phone, by our clock."""

    def __init__(self, secret: str, clock: FakeClock) -> None:
        self._totp = pyotp.TOTP(secret)
        self._clock = clock

    def code(self, steps: int = 0) -> str:
        return self._totp.generate_otp(self._clock.wall_ms() // STEP_MS + steps)


@pytest.fixture
async def app(second_factor: SecondFactor, alice: User, clock: FakeClock) -> App:
    """Turned on, and the code that did it is past."""
    made = await second_factor.enrol(alice)
    app = App(made.secret, clock)
    await second_factor.confirm(alice, app.code())
    clock.advance(STEP_MS)
    return app


async def test_turning_it_on(
    second_factor: SecondFactor, alice: User, clock: FakeClock, outbox: Outbox
) -> None:
    made = await second_factor.enrol(alice)
    assert made.uri.startswith("otpauth://totp/Test%20Site:alice?secret=")
    assert await second_factor.waiting(alice) == made
    assert not (await second_factor.standing(alice)).is_on, "it counts once a code was right"
    with pytest.raises(Invalid):
        await second_factor.confirm(alice, "000000")
    app = App(made.secret, clock)
    codes = await second_factor.confirm(alice, f" {app.code()[:3]} {app.code()[3:]}")
    assert len(set(codes)) == limits.RECOVERY_CODES
    standing = await second_factor.standing(alice)
    assert (standing.is_on, standing.recovery_codes_left) == (True, limits.RECOVERY_CODES)
    assert await second_factor.waiting(alice) is None
    assert "two-step" in (await outbox.newest(alice.email)).subject.lower()
    with pytest.raises(Conflict):
        await second_factor.enrol(alice)


async def test_a_code_works_once(
    second_factor: SecondFactor, alice: User, app: App, clock: FakeClock
) -> None:
    code = app.code()
    await second_factor.check(alice, code)
    with pytest.raises(Unauthorized):
        await second_factor.check(alice, code)
    clock.advance(STEP_MS)
    with pytest.raises(Unauthorized):
        await second_factor.check(alice, code)
    await second_factor.check(alice, app.code())


async def test_an_earlier_code_is_refused_after_a_later_one(
    second_factor: SecondFactor, alice: User, app: App
) -> None:
    await second_factor.check(alice, app.code(+1))
    with pytest.raises(Unauthorized):
        await second_factor.check(alice, app.code())


@pytest.mark.parametrize(("steps", "is_right"), [(-2, False), (-1, True), (1, True), (2, False)])
async def test_a_clock_may_be_off_by_one_step(
    second_factor: SecondFactor,
    alice: User,
    app: App,
    clock: FakeClock,
    steps: int,
    is_right: bool,
) -> None:
    clock.advance(3 * STEP_MS)
    if is_right:
        await second_factor.check(alice, app.code(steps))
    else:
        with pytest.raises(Unauthorized):
            await second_factor.check(alice, app.code(steps))


async def test_one_code_at_the_same_moment(
    second_factor: SecondFactor, alice: User, app: App
) -> None:
    code = app.code()
    results = await asyncio.gather(
        *(second_factor.check(alice, code) for _ in range(4)), return_exceptions=True
    )
    assert [result for result in results if result is None] == [None]


async def test_guessing_is_slowed_down(
    second_factor: SecondFactor, alice: User, app: App, clock: FakeClock
) -> None:
    for _ in range(limits.SECOND_FACTOR_BURST):
        with pytest.raises(Unauthorized):
            await second_factor.check(alice, "12345")
    with pytest.raises(RateLimited) as caught:
        await second_factor.check(alice, app.code())
    clock.advance(caught.value.retry_after_s * 1000)
    await second_factor.check(alice, app.code())


async def test_a_stolen_log_in_holds_its_owner_off_nowhere(
    second_factor: SecondFactor, alice: User, app: App, clock: FakeClock
) -> None:
    for _ in range(limits.SECOND_FACTOR_BURST):
        with pytest.raises(Unauthorized):
            await second_factor.check(alice, "12345", log_in="ses_thief")
    with pytest.raises(RateLimited):
        await second_factor.check(alice, app.code(), log_in="ses_thief")
    await second_factor.check(alice, app.code())
    await second_factor.check(alice, app.code(+1), log_in="ses_owner")
    for number in range(limits.SECOND_FACTOR_ANYWHERE_BURST - limits.SECOND_FACTOR_BURST):
        with pytest.raises(Unauthorized):
            await second_factor.check(alice, "12345", log_in=f"ses_{number}")
    with pytest.raises(RateLimited):
        await second_factor.check(alice, "12345", log_in="ses_more")


async def test_recovery_codes(
    second_factor: SecondFactor, alice: User, bob: User, app: App, outbox: Outbox
) -> None:
    first, second, *_ = await second_factor.new_recovery_codes(alice)
    await second_factor.check(alice, first.upper().replace("-", " "))
    assert (await second_factor.standing(alice)).recovery_codes_left == limits.RECOVERY_CODES - 1
    assert "recovery code" in (await outbox.newest(alice.email)).subject
    with pytest.raises(Unauthorized):
        await second_factor.check(alice, first)
    with pytest.raises(Unauthorized):
        await second_factor.check(bob, second)
    await second_factor.new_recovery_codes(alice)
    with pytest.raises(Unauthorized):
        await second_factor.check(alice, second)


async def test_every_app_has_a_secret_of_its_own(second_factor: SecondFactor, alice: User) -> None:
    made = {(await second_factor.enrol(alice)).secret for _ in range(20)}
    assert len(made) == 20
    assert all(len(base64.b32decode(secret)) == 20 for secret in made), "160 bits (RFC 4226 §4)"


async def test_turning_it_off(
    second_factor: SecondFactor, alice: User, app: App, outbox: Outbox
) -> None:
    await second_factor.turn_off(alice)
    letters = await outbox.letters(alice.email)
    assert [one.subject for one in letters if "turned off" in one.subject] != []
    await second_factor.turn_off(alice)
    assert await outbox.letters(alice.email) == letters, "it was off already"
    standing = await second_factor.standing(alice)
    assert (standing.is_on, standing.recovery_codes_left) == (False, 0)
    with pytest.raises(Unauthorized):
        await second_factor.check(alice, app.code())
    with pytest.raises(Conflict):
        await second_factor.new_recovery_codes(alice)
    assert "off" in (await outbox.newest(alice.email)).subject


async def test_secrets_are_not_stored_as_they_are(
    second_factor: SecondFactor, alice: User, db: Database
) -> None:
    made = await second_factor.enrol(alice)
    app = pyotp.TOTP(made.secret)
    clock_code = app.generate_otp(1_700_000_000_000 // STEP_MS)
    codes = await second_factor.confirm(alice, clock_code)
    secret = await db.read(lambda tx: tx.execute(select(totp.c.secret)).scalar_one())
    macs = await db.read(lambda tx: tx.execute(select(recovery_code.c.code_mac)).scalars().all())
    assert made.secret not in secret
    assert not {code.replace("-", "") for code in codes} & set(macs)
