"""From wanting an account to having one, with a code that was mailed."""

from __future__ import annotations

import asyncio

import pytest

from mediaserver.accounts.passwords import Passwords
from mediaserver.accounts.personal_data import PersonalData
from mediaserver.accounts.registrations import Registrations
from mediaserver.accounts.users import User, Users, set_banned_until
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import AccountsConfig
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, MediaserverError, RateLimited
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.vault import Vault
from tests.unit.outbox import Outbox

NAME, EMAIL, PASSWORD = "carol", "carol@example.org", "correct horse"
HERE = "1.1.1.1"


async def test_a_code_makes_the_account(
    registrations: Registrations, users: Users, outbox: Outbox
) -> None:
    begun = await registrations.begin(" Carol", "Carol@Example.org", PASSWORD, address=HERE)
    assert (begun.username, begun.email) == (NAME, EMAIL)
    assert await users.by_username(NAME) is None
    letter = await outbox.newest(EMAIL)
    assert "https://site.example" in letter.body
    made = await registrations.confirm(begun.handle, letter.code, address=HERE)
    assert (made.username, made.email, made.is_admin) == (NAME, EMAIL, False)
    assert await users.log_in(NAME, PASSWORD, address=HERE) == made
    with pytest.raises(Invalid):
        await registrations.confirm(begun.handle, letter.code, address=HERE)


async def test_a_code_is_read_as_people_type_it(
    registrations: Registrations, outbox: Outbox
) -> None:
    begun = await registrations.begin(NAME, EMAIL, PASSWORD, address=HERE)
    code = (await outbox.newest(EMAIL)).code
    await registrations.confirm(begun.handle, f" {code[:4]} - {code[4:]}\n", address=HERE)


async def test_guesses_use_the_code_up(registrations: Registrations, outbox: Outbox) -> None:
    begun = await registrations.begin(NAME, EMAIL, PASSWORD, address=HERE)
    code = (await outbox.newest(EMAIL)).code
    wrong = "00000000" if code != "00000000" else "00000001"
    for _ in range(limits.CODE_TRIES_MAX):
        with pytest.raises(Invalid):
            await registrations.confirm(begun.handle, wrong, address=HERE)
    with pytest.raises(Invalid):
        await registrations.confirm(begun.handle, code, address=HERE)


async def test_guesses_at_once_are_all_counted(
    registrations: Registrations, outbox: Outbox
) -> None:
    begun = await registrations.begin(NAME, EMAIL, PASSWORD, address=HERE)
    code = (await outbox.newest(EMAIL)).code
    guesses = [f"{number:08}" for number in range(10) if f"{number:08}" != code]
    await asyncio.gather(
        *(registrations.confirm(begun.handle, guess, address=HERE) for guess in guesses),
        return_exceptions=True,
    )
    with pytest.raises(Invalid):
        await registrations.confirm(begun.handle, code, address=HERE)


async def test_guesses_over_many_handles_are_slowed_down(registrations: Registrations) -> None:
    for number in range(limits.CODE_TRIES_BURST):
        with pytest.raises(Invalid):
            await registrations.confirm(f"otc_{number:020}", "00000000", address="6.6.6.6")
    with pytest.raises(RateLimited):
        await registrations.confirm("otc_" + "0" * 20, "00000000", address="6.6.6.6")


async def test_a_mistyped_address_is_started_again_under_the_same_name(
    registrations: Registrations, outbox: Outbox
) -> None:
    wrong = await registrations.begin(NAME, "carl@example.org", PASSWORD, address=HERE)
    with pytest.raises(Conflict):
        await registrations.begin(NAME, EMAIL, PASSWORD, address="2.2.2.2", replaces="otc_x")
    right = await registrations.begin(NAME, EMAIL, PASSWORD, address=HERE, replaces=wrong.handle)
    code = (await outbox.newest(EMAIL)).code
    assert (await registrations.confirm(right.handle, code, address=HERE)).email == EMAIL
    with pytest.raises(Invalid):
        await registrations.resend(wrong.handle, address=HERE)


async def test_a_name_that_is_taken_costs_no_mail(
    registrations: Registrations, alice: User
) -> None:
    for _ in range(limits.CODES_PER_EMAIL_BURST + 1):
        with pytest.raises(Conflict):
            await registrations.begin("alice", EMAIL, PASSWORD, address=HERE)
    await registrations.begin(NAME, EMAIL, PASSWORD, address=HERE)


async def test_a_banned_address_rests_until_the_ban_would_end(
    registrations: Registrations,
    outbox: Outbox,
    db: Database,
    clock: FakeClock,
    vault: Vault,
    letterhead: Letterhead,
    users: Users,
) -> None:
    carol = await users.create(NAME, EMAIL, PASSWORD, is_admin=False)
    await db.write(set_banned_until, carol.id, clock.wall_ms() + 1_000)
    await PersonalData(db, clock, vault, letterhead, []).delete(carol)
    clock.advance(1)
    await registrations.begin("dave", EMAIL, PASSWORD, address=HERE)
    letter = await outbox.newest(EMAIL)
    assert "banned" in letter.body
    assert "code" not in letter.subject
    clock.advance(1_000)
    begun = await registrations.begin("erin", EMAIL, PASSWORD, address=HERE)
    await registrations.confirm(begun.handle, (await outbox.newest(EMAIL)).code, address=HERE)


@pytest.mark.parametrize("handle", ["", "x", "otc_'; --", "otc_" + "9" * 20, "reg_" + "0" * 20])
async def test_unknown_handles(registrations: Registrations, handle: str) -> None:
    with pytest.raises(Invalid):
        await registrations.confirm(handle, "00000000", address=HERE)
    with pytest.raises(Invalid):
        await registrations.resend(handle, address=HERE)
    assert await registrations.email_of(handle) is None


async def test_a_code_grows_old(
    registrations: Registrations, outbox: Outbox, clock: FakeClock
) -> None:
    begun = await registrations.begin(NAME, EMAIL, PASSWORD, address=HERE)
    code = (await outbox.newest(EMAIL)).code
    clock.advance(limits.CODE_MS)
    with pytest.raises(Invalid):
        await registrations.confirm(begun.handle, code, address=HERE)


async def test_another_code_takes_the_place_of_the_first(
    registrations: Registrations, outbox: Outbox, clock: FakeClock
) -> None:
    first = await registrations.begin(NAME, EMAIL, PASSWORD, address=HERE)
    old = (await outbox.newest(EMAIL)).code
    clock.advance(limits.CODE_MS + 1)
    second = await registrations.resend(first.handle, address=HERE)
    assert second.handle != first.handle
    new = (await outbox.newest(EMAIL)).code
    with pytest.raises(Invalid):
        await registrations.confirm(first.handle, old, address=HERE)
    assert (await registrations.confirm(second.handle, new, address=HERE)).username == NAME


async def test_codes_to_one_address_are_few(registrations: Registrations) -> None:
    begun = await registrations.begin(NAME, EMAIL, PASSWORD, address=HERE)
    handle = begun.handle
    for _ in range(limits.CODES_PER_ASKER_BURST - 1):
        handle = (await registrations.resend(handle, address=HERE)).handle
    with pytest.raises(RateLimited):
        await registrations.resend(handle, address=HERE)
    with pytest.raises(RateLimited):
        await registrations.begin("another", EMAIL, PASSWORD, address=HERE)


async def test_a_name_waits_for_its_code_and_no_longer(
    registrations: Registrations, clock: FakeClock
) -> None:
    first = await registrations.begin(NAME, EMAIL, PASSWORD, address=HERE)
    with pytest.raises(Conflict) as caught:
        await registrations.begin(NAME, "other@example.org", PASSWORD, address=HERE)
    assert caught.value.field == "username"
    clock.advance(limits.REGISTRATION_MS)
    await registrations.delete_expired()
    with pytest.raises(Invalid):
        await registrations.resend(first.handle, address=HERE)
    await registrations.begin(NAME, "other@example.org", PASSWORD, address=HERE)


async def test_nothing_tells_that_an_address_has_an_account(
    registrations: Registrations, alice: User, outbox: Outbox, passwords: Passwords
) -> None:
    """The answer is alike, a hash is made, a mail is written; only its words differ."""
    known = await registrations.begin(NAME, alice.email, PASSWORD, address=HERE)
    unknown = await registrations.begin("dave", "dave@example.org", PASSWORD, address=HERE)
    assert known.expires_in_s == unknown.expires_in_s
    assert known.handle.startswith("otc_")
    assert await registrations.email_of(known.handle) == alice.email
    letter = await outbox.newest(alice.email)
    assert "already" in letter.subject
    assert "log in" in letter.body.lower()
    answers = []
    for handle in (known.handle, unknown.handle):
        with pytest.raises(Invalid) as caught:
            await registrations.confirm(handle, "00000000", address=HERE)
        answers.append((caught.value.message, caught.value.code, caught.value.field))
    assert answers[0] == answers[1]
    assert (await registrations.resend(known.handle, address=HERE)).email == alice.email


async def test_an_address_that_gets_an_account_meanwhile(
    registrations: Registrations, users: Users, outbox: Outbox
) -> None:
    begun = await registrations.begin(NAME, EMAIL, PASSWORD, address=HERE)
    code = (await outbox.newest(EMAIL)).code
    await users.create("faster", EMAIL, PASSWORD, is_admin=False)
    with pytest.raises(Invalid):
        await registrations.confirm(begun.handle, code, address=HERE)


async def test_the_same_name_at_the_same_moment(registrations: Registrations) -> None:
    results = await asyncio.gather(
        *(
            registrations.begin(NAME, f"carol{n}@example.org", PASSWORD, address=HERE)
            for n in range(4)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Conflict) for result in results) == 3


async def test_reserved_names_are_for_the_operator(
    registrations: Registrations, users: Users
) -> None:
    with pytest.raises(Conflict):
        await registrations.begin("admin", EMAIL, PASSWORD, address=HERE)
    assert (await users.create("admin", EMAIL, PASSWORD, is_admin=True)).is_admin


@pytest.mark.parametrize(
    "name", ["admin_", "_admin", "adm1n", "supp0rt", "5upport", "a_l_i_c_e", "al1ce", "aiice"]
)
async def test_nobody_is_called_almost_like_another(
    registrations: Registrations, alice: User, name: str
) -> None:
    with pytest.raises(Conflict) as caught:
        await registrations.begin(name, EMAIL, PASSWORD, address=HERE)
    assert caught.value.field == "username"


async def test_two_that_look_alike_at_the_same_time(
    registrations: Registrations, clock: FakeClock, outbox: Outbox
) -> None:
    begun = []
    for name in ("modern_bob", "modembob"):
        made = await registrations.begin(name, f"{name}@example.org", PASSWORD, address=HERE)
        begun.append((made.handle, (await outbox.newest(made.email)).code))
    assert (await registrations.confirm(*begun[0], address=HERE)).username == "modern_bob"
    with pytest.raises(Conflict):
        await registrations.confirm(*begun[1], address=HERE)


async def test_many_registrations_from_one_address(registrations: Registrations) -> None:
    for n in range(limits.REGISTER_PER_ADDRESS_BURST):
        await registrations.begin(f"fan{n}", f"fan{n}@example.org", PASSWORD, address="6.6.6.6")
    with pytest.raises(RateLimited):
        await registrations.begin(NAME, EMAIL, PASSWORD, address="6.6.6.6")
    await registrations.begin(NAME, EMAIL, PASSWORD, address=HERE)


async def test_registration_opens_and_closes_while_the_site_runs(
    registrations: Registrations, config: AccountsConfig
) -> None:
    config.registration = "closed"
    with pytest.raises(Forbidden):
        await registrations.begin(NAME, EMAIL, PASSWORD, address=HERE)
    config.registration = "open"
    await registrations.begin(NAME, EMAIL, PASSWORD, address=HERE)


@pytest.mark.parametrize(
    ("username", "email", "password", "field"),
    [
        ("x", EMAIL, PASSWORD, "username"),
        (NAME, "x", PASSWORD, "email"),
        (NAME, "x@example.org\r\nBcc: all@example.org", PASSWORD, "email"),
        (NAME, EMAIL, "short", "password"),
        (NAME, EMAIL, "password1", "password"),
        (NAME, EMAIL, "carol@example.org", "password"),
    ],
)
async def test_wrong_fields(
    registrations: Registrations, username: str, email: str, password: str, field: str
) -> None:
    with pytest.raises(MediaserverError) as caught:
        await registrations.begin(username, email, password, address=HERE)
    assert getattr(caught.value, "field", None) == field
