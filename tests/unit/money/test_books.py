"""The books as admins read them: how the site stands, accounts, entries, searches."""

from __future__ import annotations

import pytest

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.kernel import audit, limits
from mediaserver.kernel.audit import SITE as THE_SITE
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import NotFound
from mediaserver.money import ledger
from mediaserver.money.books import LABELS, Books, Entries, Wanted
from mediaserver.money.ledger import Kind, Posting, Transfer, clearing_of, wallet_of
from tests.unit.money.bookings import CURRENCY, paid_topup, tip


@pytest.fixture
def books(db: Database, clock: FakeClock) -> Books:
    return Books(db, clock)


@pytest.fixture
async def paid(db: Database, channel: Channel, bob: User, alice: User) -> str:
    """Two top-ups and three tips; the id of the first payment."""
    first = await db.write(paid_topup, bob.id, 10_000, 1_000)
    await db.write(paid_topup, alice.id, 2_000, 2_000)
    for number in range(3):
        await db.write(tip, channel, bob.id, 1_000, 2200, 3_000 + number)
    return first


def kinds(found: Entries) -> list[str]:
    return [one.kind for one in found.entries]


async def test_how_the_site_stands(books: Books, db: Database, paid: str) -> None:
    other = Posting(
        "topup", "payment:x", (Transfer(clearing_of("b", "EUR"), wallet_of("usr_x", "EUR"), 5),)
    )
    await db.write(ledger.post, other, 9_000)
    (euro, dollar), checked = await books.overview()
    assert checked is None
    assert (euro.currency, euro.there_minor, euro.owed_minor) == ("EUR", 5, 5)
    assert (dollar.there_minor, dollar.owed_minor, dollar.own_minor) == (12_000, 11_340, 660)
    assert dollar.is_solvent
    assert dict(dollar.by_gateway) == {"sandbox": 12_000}
    assert dollar.of(Kind.COMMISSION) == 660
    assert dollar.of(Kind.EARNINGS_PENDING) == 2_340
    assert dollar.of(Kind.LOSSES) == 0


async def test_every_kind_of_account_has_a_name() -> None:
    assert set(LABELS) == set(Kind)


async def test_accounts_are_found_by_name_and_kind(
    books: Books, paid: str, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await books.accounts(owner="@Alice")
    assert [one.account.kind for one in found.accounts] == [Kind.EARNINGS_PENDING, Kind.WALLET]
    assert found.name(alice.id) == "alice"
    assert found.label(found.accounts[1].account) == "Wallet: alice"
    assert [one.amount_minor for one in (await books.accounts(kind="clearing")).accounts] == [
        12_000
    ]
    assert (await books.accounts(owner="nobody")).accounts == []
    monkeypatch.setattr(limits, "BOOKS_LISTED_MAX", 2)
    seen: list[str] = []
    while page := (await books.accounts(after=seen[-1] if seen else None)).accounts:
        assert len(page) <= 2
        seen += [one.account.id for one in page]
    assert len(seen) == len(set(seen)) == 5
    whole = await books.account(seen[0])
    assert whole.accounts[0].account.id == seen[0]
    with pytest.raises(NotFound):
        await books.account("wallet:nobody:USD")


async def test_entries_are_listed_in_pages(
    books: Books, paid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BOOKS_EXPORT_BATCH", 2)
    assert kinds(await books.entries(Wanted())) == ["tip"] * 3 + ["topup"] * 2
    batches = [batch async for batch in books.export(THE_SITE, Wanted())]
    assert [len(batch.entries) for batch in batches] == [2, 2, 1]
    assert len({one.id for batch in batches for one in batch.entries}) == 5
    assert (await books.entries(Wanted(), after="ent_none")).entries == []


async def test_a_download_is_written_down(books: Books, db: Database, paid: str) -> None:
    assert [batch async for batch in books.export(THE_SITE, Wanted(kind="tip", from_ms=5))]
    (entry,) = await db.read(audit.page, action="books.export")
    assert entry.details == {"kind": "tip", "from_ms": 5}


async def test_searches(books: Books, paid: str, alice: User, bob: User) -> None:
    async def found(**wanted: object) -> list[str]:
        return kinds(await books.entries(Wanted(**wanted)))  # type: ignore[arg-type]

    assert await found(kind="topup") == ["topup"] * 2
    assert await found(owner="alice") == ["tip"] * 3 + ["topup"]
    assert await found(owner=bob.id) == ["tip"] * 3 + ["topup"]
    assert await found(owner="sandbox") == ["topup"] * 2
    assert await found(owner="site") == ["tip"] * 3
    assert await found(owner="nobody") == []
    assert await found(account_id=wallet_of(alice.id, CURRENCY).id) == ["topup"]
    assert await found(search=paid) == ["topup"]
    assert await found(search=f"payment:{paid}") == ["topup"]
    assert await found(search=paid[:-1]) == []
    assert await found(from_ms=2_000, until_ms=3_001) == ["tip", "topup"]
    assert await found(owner="bob", kind="tip", from_ms=3_001, until_ms=3_002) == ["tip"]
    assert await books.kinds() == ["tip", "topup"]


async def test_one_entry_and_what_reversed_it(books: Books, db: Database, paid: str) -> None:
    entry = (await books.entries(Wanted(kind="topup", owner="alice"))).entries[0]
    back, _ = await db.write(ledger.reverse, entry.id, "payment.reversed", 9_000)
    whole = await books.entry(entry.id)
    assert whole.entries == [entry]
    assert whole.reversed_by == {entry.id: back.id}
    assert whole.name(entry.actor_id or "") == "alice"
    with pytest.raises(NotFound):
        await books.entry("ent_none")
