"""How the site stands: what it owes, where the money is, and what belongs to its owner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select

from mediaserver.kernel.db import Transaction
from mediaserver.money.ledger import KINDS, LIABILITIES, Kind, ledger_account


@dataclass(frozen=True, slots=True)
class Standing:
    """All accounts of a currency together, by kind and, of clearing, by gateway; in minor units.

    What the site has (`there_minor`) is what it owes to others and what is its owner's: the
    commission and what the owner put in, less fees, losses and what was taken out.
    """

    currency: str
    by_kind: Mapping[Kind, int]
    by_gateway: Mapping[str, int]

    def of(self, kind: Kind) -> int:
        return self.by_kind.get(kind, 0)

    @property
    def owed_minor(self) -> int:
        return sum(map(self.of, LIABILITIES))

    @property
    def there_minor(self) -> int:
        return self.of(Kind.CLEARING) + self.of(Kind.BANK)

    @property
    def own_minor(self) -> int:
        """Negative when others are owed more than is there."""
        return self.there_minor - self.owed_minor

    @property
    def is_solvent(self) -> bool:
        return self.own_minor >= 0


def standings(tx: Transaction) -> list[Standing]:
    """One for each currency that was ever booked."""
    account = ledger_account.c
    rows = tx.execute(
        select(
            *(account.currency, account.kind, account.owner),
            func.sum(account.side * (account.credits - account.debits)).label("held"),
        )
        .where(account.kind == Kind.CLEARING.label)
        .group_by(account.currency, account.kind, account.owner)
        .union_all(
            select(
                *(account.currency, account.kind, func.max("").label("owner")),
                func.sum(account.side * (account.credits - account.debits)).label("held"),
            )
            .where(account.kind != Kind.CLEARING.label)
            .group_by(account.currency, account.kind)
        )
    ).all()
    kinds: dict[str, dict[Kind, int]] = {}
    gateways: dict[str, dict[str, int]] = {}
    for row in rows:
        kind, held = KINDS[row.kind], int(row.held)
        of_currency = kinds.setdefault(row.currency, {})
        of_currency[kind] = of_currency.get(kind, 0) + held
        if kind is Kind.CLEARING:
            gateways.setdefault(row.currency, {})[row.owner] = held
    return [
        Standing(currency, kinds[currency], dict(sorted(gateways.get(currency, {}).items())))
        for currency in sorted(kinds)
    ]


def standing(tx: Transaction, currency: str) -> Standing:
    """That of one currency; all zero if nothing was booked in it."""
    found = (one for one in standings(tx) if one.currency == currency)
    return next(found, Standing(currency, {}, {}))
