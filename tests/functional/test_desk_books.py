"""The books at the admin desk: what they show, what admins enter, who gets in."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mediaserver.accounts.passwords import Passwords
from mediaserver.accounts.throttles import Throttles
from mediaserver.accounts.users import Users
from mediaserver.channels.channels import Channels
from mediaserver.kernel.clock import SystemClock
from mediaserver.kernel.config import AccountsConfig
from mediaserver.kernel.db import Database
from mediaserver.kernel.events import Events
from tests.functional.platform_site import PASSWORD, Person, Site, running_site
from tests.unit.money.bookings import paid_topup, tip

PAGES = ("", "/accounts", "/entries", "/settlements", "/owner", "/corrections")
MONEY = {"two_admins_above": "100"}


@pytest.fixture
async def storage(tmp_path: Path) -> Path:
    """100.00 paid in by bob, of which alice got 50.00 less the commission of 11.00."""
    clock = SystemClock()
    (tmp_path / "storage").mkdir()
    url = f"sqlite+aiosqlite:///{tmp_path / 'storage' / 'mediaserver.db'}"
    async with Database(url, Events()) as db:
        passwords = Passwords()
        users = Users(db, clock, passwords, Throttles(db, clock))
        for name in ("boss", "second", "alice", "bob"):
            email = f"{name}@example.org"
            is_admin = name in ("boss", "second")
            made = await users.create(name, email, PASSWORD, is_admin=is_admin)
            if name == "alice":
                channel = await Channels(db, clock, AccountsConfig()).create(made, "alice", "Alice")
        await passwords.aclose()
        await db.write(paid_topup, made.id, 10_000, clock.wall_ms())
        await db.write(tip, channel, made.id, 5_000, 2200, clock.wall_ms())
    return tmp_path


@pytest.fixture
async def site(storage: Path) -> AsyncIterator[Site]:
    async with running_site(storage, money=MONEY) as running:
        yield running


async def known(site: Site, name: str) -> Person:
    """Somebody of the storage, logged in in a browser and as a program."""
    person = site.person()
    status, text, _ = await person.post("/login", {"username": name, "password": PASSWORD})
    assert status == 303, text
    person.username = name
    await person.log_in_as_program(name)
    return person


@pytest.fixture
async def boss(site: Site) -> Person:
    return await known(site, "boss")


async def balance(person: Person, account: str) -> int:
    status, answer = await person.api("GET", f"/admin/books/accounts/{account}")
    assert status in (200, 404)
    return int(answer["amount_minor"]) if status == 200 else 0


async def owner_of(person: Person, name: str) -> str:
    _, answer = await person.api("GET", "/admin/books/accounts", params={"owner": name})
    return str(answer["accounts"][0]["owner"])


async def test_the_overview_and_the_check(site: Site, boss: Person) -> None:
    status, text, _ = await boss.post("/admin/books/check")
    assert status == 200
    assert "The books add up." in text
    assert "This is test money." in text
    for shown in ("$100.00", "$89.00", "$11.00", "Everybody could be paid today"):
        assert shown in text
    status, answer = await boss.api("GET", "/admin/books")
    assert status == 200
    (usd,) = answer["standings"]
    assert (usd["there_minor"], usd["owed_minor"], usd["own_minor"]) == (10_000, 8_900, 1_100)
    assert answer["checked"]["is_right"]
    status, answer = await boss.api("POST", "/admin/books/check")
    assert (status, answer["entries"], answer["findings"]) == (200, 2, [])


async def test_accounts_entries_and_the_journal(site: Site, boss: Person) -> None:
    _, text, _ = await boss.get("/admin/books/accounts?owner=bob")
    assert "$50.00" in text
    assert "/admin/users/bob" in text
    _, text, _ = await boss.get("/admin/books/entries")
    assert "Wallet: bob" in text
    assert "At a gateway: sandbox" in text
    _, answer = await boss.api("GET", "/admin/books/entries", params={"kind": "tip"})
    (entry,) = answer["entries"]
    assert [one["amount"] for one in entry["transfers"]] == ["$39.00", "$11.00"]
    _, text, _ = await boss.get(f"/admin/books/entries/{entry['id']}")
    assert entry["key"] in text
    assert "Was this wrong?" not in text, "a tip isn't reversed here"
    _, text, _ = await boss.get("/admin/books/entries?from=yesterday")
    assert "Write a day as 2026-11-20." in text
    status, text, response = await boss.get("/admin/books/journal.csv?kind=tip")
    assert (status, response.headers["Content-Type"]) == (200, "text/csv; charset=utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["amount"], row["currency"]) for row in rows] == [
        ("39.00", "USD"),
        ("11.00", "USD"),
    ]
    assert {row["debit_name"] for row in rows} == {"Wallet: bob"}
    status, answer = await boss.api("GET", "/admin/audit", params={"action": "books.export"})
    assert answer["entries"][0]["details"] == {"kind": "tip"}
    for path in ("/entries/ent_none", "/entries?account=wallet:x:USD"):
        status, _, _ = await boss.get(f"/admin/books{path}")
        assert status == 404


async def test_a_settlement_by_form_and_by_program(site: Site, boss: Person) -> None:
    _, text, _ = await boss.get("/admin/books/settlements")
    assert "At a gateway" not in text
    form = {"gateway": "sandbox", "arrived_on": "2026-11-20", "amount": "60", "fee": "1.50"}
    status, text, _ = await boss.post("/admin/books/settlements", form)
    assert status == 422
    assert "This can&#39;t be empty." in text
    status, text, _ = await boss.post("/admin/books/settlements", form | {"amount": "6.001"})
    assert status == 422
    assert "The smallest amount of USD is 0.01." in text
    status, _, _ = await boss.post("/admin/books/settlements", form | {"reference": "PO-1"})
    assert status == 303
    assert await balance(boss, "bank:site:USD") == 6_000
    assert await balance(boss, "clearing:sandbox:USD") == 3_850
    status, text, _ = await boss.post("/admin/books/settlements", form | {"reference": "PO-1"})
    assert status == 409
    assert "in the books already" in text

    body = {"gateway": "sandbox", "arrived_on": "2026-11-21", "amount_minor": 3_850}
    status, answer = await boss.api(
        "POST", "/admin/books/settlements", body | {"reference": "PO-2"}
    )
    assert status == 201
    assert await balance(boss, "clearing:sandbox:USD") == 0
    _, answer = await boss.api("GET", "/admin/books/settlements")
    assert {one["reference"] for one in answer["settlements"]} == {"PO-1", "PO-2"}
    for wrong in ("1.5", 1.5, True, 2**63):
        status, _ = await boss.api(
            "POST", "/admin/books/settlements", body | {"reference": "x", "amount_minor": wrong}
        )
        assert status == 422

    status, _, _ = await boss.post(
        "/admin/books/settlements/balance", {"gateway": "sandbox", "reported": "-2.50"}
    )
    assert status == 303
    _, text, _ = await boss.get("/admin/books/settlements")
    assert "-$2.50" in text
    _, answer = await boss.api("GET", "/admin/books/gateway-balances")
    assert answer["balances"][0]["difference_minor"] == -250

    entry = (await boss.api("GET", "/admin/books/entries", params={"search": "PO-2"}))[1]
    entry_id = entry["entries"][0]["id"]
    _, text, _ = await boss.get(f"/admin/books/entries/{entry_id}")
    assert "Was this wrong?" in text
    path = f"/admin/books/entries/{entry_id}/reverse"
    status, text, _ = await boss.post(path, {"reason": " "})
    assert status == 422
    status, _, _ = await boss.post(path, {"reason": "Another site's"})
    assert status == 303
    _, text, _ = await boss.get(f"/admin/books/entries/{entry_id}")
    assert "This was reversed by" in text
    assert "Was this wrong?" not in text
    assert await balance(boss, "clearing:sandbox:USD") == 3_850


async def test_the_owners_share(site: Site, boss: Person) -> None:
    _, text, _ = await boss.get("/admin/books/owner")
    assert "$11.00 of what the site has is the owner" in text
    form = {"direction": "out", "amount": "11.01", "reference": "T-1", "reason": ""}
    status, text, _ = await boss.post("/admin/books/owner", form)
    assert status == 409
    assert "take out at most $11.00" in text
    for _ in range(2):
        status, _, _ = await boss.post("/admin/books/owner", form | {"amount": "11", "key": "k1"})
        assert status == 303
    assert await balance(boss, "owners_share:site:USD") == -1_100
    status, _, _ = await boss.post("/admin/books/owner", form | {"direction": "up"})
    assert status == 422
    body = {"direction": "in", "amount_minor": 500, "reference": "T-2"}
    headers = {"Idempotency-Key": "k2"}
    answers = [
        await boss.api("POST", "/admin/books/owners-share", body, headers=headers.copy())
        for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert answers[0][0] == 201
    assert await balance(boss, "bank:site:USD") == -600


async def test_a_correction_takes_two_admins(site: Site, boss: Person) -> None:
    second = await known(site, "second")
    wallet = f"wallet:{await owner_of(boss, 'bob')}:USD"
    form = {"debit_kind": "losses", "credit_kind": "wallet", "credit_owner": "bob"}
    form |= {"amount": "100.01", "reason": "Paid twice", "key": "k1"}
    status, _, response = await boss.post("/admin/books/corrections", form)
    assert (status, response.headers["Location"]) == (303, "/admin/books/corrections")
    _, text, _ = await boss.get("/admin/books/corrections")
    assert "Waiting for a second admin" in text
    assert "/approve" not in text, "one's own is for somebody else"
    assert "Wallet: bob" in text
    _, text, _ = await second.get("/admin")
    assert "correction of the books waits" in text
    _, answer = await boss.api("GET", "/admin/books/corrections")
    waiting = answer["corrections"][0]["id"]
    status, answer = await boss.api("POST", f"/admin/books/corrections/{waiting}/approve")
    assert (status, answer["error"]["code"]) == (403, "same_admin")
    status, text, _ = await boss.post(f"/admin/books/corrections/{waiting}/approve")
    assert status == 422
    assert "Another admin has to agree" in text
    assert await balance(boss, wallet) == 5_000
    status, _, _ = await second.post(f"/admin/books/corrections/{waiting}/approve")
    assert status == 303
    assert await balance(boss, wallet) == 15_001
    status, _ = await boss.api("POST", f"/admin/books/corrections/{waiting}/reject")
    assert status == 409
    _, answer = await boss.api("GET", "/admin/audit", params={"action": "books."})
    acts = [(one["actor"], one["action"]) for one in answer["entries"]]
    assert acts == [("second", "books.correct"), ("boss", "books.correction_asked")]
    status, text, _ = await boss.post("/admin/books/corrections", form | {"credit_owner": "x"})
    assert status == 409, "the key was used"
    form["key"] = "k2"
    status, text, _ = await boss.post("/admin/books/corrections", form | {"credit_owner": "x"})
    assert status == 422
    assert "There is no such account." in text
    assert "Paid twice" in text, "what was typed comes back"


CHANGES: list[tuple[str, Any]] = [
    (
        "settlements",
        {"gateway": "sandbox", "arrived_on": "2026-11-20", "amount_minor": 1, "reference": "x"},
    ),
    ("gateway-balances", {"gateway": "sandbox", "reported_minor": 1}),
    ("owners-share", {"direction": "in", "amount_minor": 1, "reference": "x"}),
    (
        "corrections",
        {
            "debit_kind": "losses",
            "credit_kind": "wallet",
            "credit_owner": "bob",
            "amount_minor": 1,
            "reason": "x",
        },
    ),
]


async def test_nobody_else_gets_in(site: Site) -> None:
    bob, stranger = await known(site, "bob"), site.person()
    for path in PAGES:
        assert (await bob.get(f"/admin/books{path}"))[0] == 403
        assert (await stranger.get(f"/admin/books{path}"))[0] == 303
    assert (await bob.get("/admin/books/journal.csv"))[0] == 403
    assert (await bob.post("/admin/books/check"))[0] == 403
    for path, body in CHANGES:
        assert (await bob.post(f"/admin/books/{path}", {}))[0] in (403, 404)
        assert (await bob.api("POST", f"/admin/books/{path}", body))[0] == 403
        assert (await stranger.api("POST", f"/admin/books/{path}", body))[0] == 401
    for path in ("", "/accounts", "/entries", "/settlements", "/corrections", "/journal.csv"):
        assert (await bob.api("GET", f"/admin/books{path}"))[0] == 403


async def test_a_site_without_money_has_no_books(storage: Path) -> None:
    async with running_site(storage, money={"enabled": False}) as site:
        boss = await known(site, "boss")
        for path in PAGES:
            assert (await boss.get(f"/admin/books{path}"))[0] == 404
        _, text, _ = await boss.get("/admin")
        assert "/admin/books" not in text
        assert (await boss.api("GET", "/admin/books"))[0] == 404
        for path, body in CHANGES:
            assert (await boss.api("POST", f"/admin/books/{path}", body))[0] == 404
