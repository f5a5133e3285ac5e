"""Rows of payments and contributions as the site makes them, for tests of the books."""

from __future__ import annotations

from sqlalchemy import insert

from mediaserver.channels.channels import Channel
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.ids import new_id
from mediaserver.money import contributions, ledger
from mediaserver.money.contributions import Contribution, Offer, Words
from mediaserver.money.ledger import Posting, Transfer, clearing_of, wallet_of
from mediaserver.money.payments import payment

CURRENCY = "USD"
GATEWAY = clearing_of("sandbox", CURRENCY)
DAY_MS = 24 * 3600 * 1000


def paid_topup(tx: Transaction, user_id: str, amount_minor: int, now_ms: int = 1_000) -> str:
    """A payment into a wallet, settled; its id."""
    payment_id = new_id("pay")
    entry, _ = ledger.post(
        tx,
        Posting(
            "topup",
            f"payment:{payment_id}",
            (Transfer(GATEWAY, wallet_of(user_id, CURRENCY), amount_minor),),
            subject=payment_id,
            actor_id=user_id,
        ),
        now_ms,
    )
    tx.execute(
        insert(payment).values(
            id=payment_id,
            purpose="topup",
            gateway="sandbox",
            user_id=user_id,
            email="",
            amount_minor=amount_minor,
            currency=CURRENCY,
            state="paid",
            problem="",
            provider_ref=payment_id,
            charge_ref=f"ch_{payment_id}",
            checkout_url="",
            refunded_minor=0,
            disputed_minor=0,
            entry_id=entry.id,
            created_at_ms=now_ms,
            expires_at_ms=now_ms + DAY_MS,
            paid_at_ms=now_ms,
        )
    )
    return payment_id


def tip(
    tx: Transaction,
    channel: Channel,
    sender_id: str,
    amount_minor: int,
    bps: int = 2200,
    now_ms: int = 1_000,
) -> Contribution:
    """A tip from a wallet, without the questions whether it may be given."""
    offer = Offer("tip", channel, None, Words(), amount_minor, CURRENCY, bps)
    given = contributions.create(tx, offer, "open", now_ms)
    wallet = wallet_of(sender_id, CURRENCY)
    return contributions.pay(tx, given, wallet, now_ms, maturity_days=14)
