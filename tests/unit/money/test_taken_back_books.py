"""The books add up after refunds, disputes and payouts in every state."""

from __future__ import annotations

import dataclasses

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.kernel.audit import Actor
from mediaserver.kernel.mail import Letterhead
from mediaserver.money import disputes, ledger_check, refunds
from mediaserver.money.gateways.gateway import DisputeStatus
from mediaserver.money.idempotency import Request
from tests.unit.money.books import Books


async def test_the_books_add_up(
    books: Books, alice: User, bobs: Channel, letterhead: Letterhead
) -> None:
    first, second = await books.top_up(alice, 1_000), await books.donate(alice, bobs, 1_000)
    await books.tip(alice, bobs, 103)
    status = DisputeStatus("dp_1", 600, 15, "open")
    for one in (status, dataclasses.replace(status, state="won")):
        await books.locked(first, lambda tx, row, one=one: disputes.book(tx, row, one, 5))
        assert await books.db.read(ledger_check.check) == []
    boss, nothing = Actor("usr_boss", "boss"), Request(None, None)
    made = await books.db.write(
        refunds.ask, boss, second.id, 301, "x", "gateway", nothing, letterhead, 6
    )
    assert await books.db.read(ledger_check.check) == []
    await books.db.write(refunds.succeed, made.id, "re_1", letterhead, 7)
    await books.db.write(refunds.fail, made.id, "It came back.", letterhead, 8)
    assert await books.db.read(ledger_check.check) == []
