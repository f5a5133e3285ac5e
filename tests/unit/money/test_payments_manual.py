"""docs/payments.md: its example adds up when it is posted, and it names what is there."""

from __future__ import annotations

import re
from pathlib import Path

from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import MidtransConfig, SslcommerzConfig, StripeConfig
from mediaserver.kernel.db import Database
from mediaserver.money import ledger
from mediaserver.money.commission import Split
from mediaserver.money.currencies import CURRENCIES, parsed_amount, plain
from mediaserver.money.ledger import KINDS, LIABILITIES, Account, Kind, Posting, Transfer

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "payments.md").read_text()
DOLLAR = CURRENCIES["USD"]
HAS = (Kind.BANK, Kind.CLEARING)


def account(name: str) -> Account:
    kind, _, owner = name.strip(" `").partition(":")
    return Account(KINDS[kind], owner or ledger.SITE, DOLLAR.code)


def transfers() -> list[Transfer]:
    """The lines of the example, as they stand in the text."""
    rows = re.findall(r"^\|.*\| `(\S+)` \| `(\S+)` \| (\d+\.\d\d) \|$", TEXT, re.MULTILINE)
    return [
        Transfer(account(debit), account(credit), parsed_amount(amount, DOLLAR))
        for debit, credit, amount in rows
    ]


def written() -> dict[Account, int]:
    """The balances in the text."""
    rows = re.findall(r"^\| `(\S+)` \| (\d+\.\d\d) \|$", TEXT, re.MULTILINE)
    return {account(name): parsed_amount(amount, DOLLAR) for name, amount in rows}


async def test_the_example_adds_up(db: Database, clock: FakeClock) -> None:
    lines = transfers()
    assert len(lines) == 18
    for number, line in enumerate(lines):
        posting = Posting("example", f"example:{number}", (line,))
        await db.write(ledger.post, posting, clock.wall_ms())
    used = {one for line in lines for one in (line.debit, line.credit)}
    held = {one: (await db.read(ledger.balance, one)).amount_minor for one in used}
    assert held == written()

    has = sum(amount for one, amount in held.items() if one.kind in HAS)
    owes = sum(amount for one, amount in held.items() if one.kind in LIABILITIES)
    kept = [one for one in held if one.kind not in (*HAS, *LIABILITIES) and not one.kind.is_memo]
    own = sum(one.kind.side * held[one] for one in kept)
    assert has == owes + own
    for total in (has, owes, own):
        assert f"**{plain(total, DOLLAR)}**" in TEXT


def test_the_commission_of_the_example_is_that_of_the_site() -> None:
    lines = transfers()
    for number in (3, 5):  # the tip and the donation, each as net and fee
        net, fee = lines[number].amount_minor, lines[number + 1].amount_minor
        assert lines[number + 1].credit.kind is Kind.COMMISSION
        assert (net, fee) == (Split(net + fee, 2200).net_minor, Split(net + fee, 2200).fee_minor)
    assert (Split(99, 2200).fee_minor, Split(99, 2200).net_minor) == (21, 78)


def test_every_kind_of_account_is_explained() -> None:
    for kind in Kind:
        assert re.search(rf"^\|.*`{kind.label}`.* \|", TEXT, re.MULTILINE), kind


def test_every_key_and_address_is_named() -> None:
    for name in ("stripe", "midtrans", "sslcommerz"):
        assert f"https://your.site/hooks/{name}" in TEXT
    for section, config in (
        ("STRIPE", StripeConfig),
        ("MIDTRANS", MidtransConfig),
        ("SSLCOMMERZ", SslcommerzConfig),
    ):
        for key in config.model_fields:
            if key.endswith(("_key", "_secret", "_password", "_id")):
                assert f"MEDIASERVER_{section}__{key.upper()}" in TEXT
