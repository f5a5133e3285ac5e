"""Tickets for connections that can send no header."""

from __future__ import annotations

import pytest

from mediaserver.accounts.devices import Devices
from mediaserver.accounts.personal_tokens import PersonalTokens, Scope
from mediaserver.accounts.sessions import Sessions
from mediaserver.accounts.tickets import Tickets
from mediaserver.accounts.tokens import Tokens
from mediaserver.accounts.users import User
from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Unauthorized
from mediaserver.kernel.vault import Vault


@pytest.fixture
def tickets(db: Database, clock: FakeClock) -> Tickets:
    return Tickets(db, clock)


@pytest.fixture
async def session_id(db: Database, clock: FakeClock, alice: User) -> str:
    sessions = Sessions(db, clock)
    await sessions.start(alice, address="1.1.1.1", user_agent="here", replaces=None)
    return (await Devices(db, clock).list(alice))[0].id


async def test_a_ticket_works_once(tickets: Tickets, alice: User, session_id: str) -> None:
    ticket = tickets.issue(alice, session_id)
    assert (await tickets.redeem(ticket)).user == alice
    with pytest.raises(Unauthorized):
        await tickets.redeem(ticket)


async def test_a_ticket_grows_old(
    tickets: Tickets, alice: User, session_id: str, clock: FakeClock
) -> None:
    ticket = tickets.issue(alice, session_id)
    clock.advance(limits.REALTIME_TICKET_S * 1000)
    with pytest.raises(Unauthorized):
        await tickets.redeem(ticket)


@pytest.mark.parametrize("ticket", ["", "x", "x" * 100_000, "\0", "é", "\udcff"])
async def test_what_is_no_ticket(tickets: Tickets, ticket: str) -> None:
    with pytest.raises(Unauthorized):
        await tickets.redeem(ticket)


async def test_it_ends_with_the_session(
    tickets: Tickets, db: Database, clock: FakeClock, alice: User, session_id: str
) -> None:
    unused = tickets.issue(alice, session_id)
    holder = await tickets.redeem(tickets.issue(alice, session_id))
    assert await tickets.still_stands(holder)
    await Devices(db, clock).revoke(alice, session_id)
    assert not await tickets.still_stands(holder)
    with pytest.raises(Unauthorized):
        await tickets.redeem(unused)


async def test_it_ends_with_the_clients_log_in(
    tickets: Tickets, db: Database, clock: FakeClock, vault: Vault, alice: User
) -> None:
    tokens = await Tokens.open(db, clock, vault)
    pair = await tokens.issue(alice, address="1.1.1.1", user_agent="x")
    log_in = await tokens.find(pair.access_token)
    holder = await tickets.redeem(tickets.issue(alice, log_in.family_id))
    assert await tickets.still_stands(holder)
    await tokens.revoke(pair.refresh_token)
    assert not await tickets.still_stands(holder)


async def test_it_ends_with_the_personal_token(
    tickets: Tickets, db: Database, clock: FakeClock, alice: User
) -> None:
    personal = PersonalTokens(db, clock)
    made = await personal.create(alice, "bot", [Scope.CHAT], days=1)
    holder = await tickets.redeem(tickets.issue(alice, made.token.id))
    assert await tickets.still_stands(holder)
    clock.advance(86_400_000)
    assert not await tickets.still_stands(holder)


async def test_tickets_that_nobody_uses_are_bounded(
    tickets: Tickets, alice: User, session_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REALTIME_TICKETS_MAX", 3)
    first, *others = [tickets.issue(alice, session_id) for _ in range(4)]
    with pytest.raises(Unauthorized):
        await tickets.redeem(first)
    for ticket in others:
        await tickets.redeem(ticket)
