"""Money, put together: one function for each part, called by server.py in this order."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from mediaserver.admin import real_money
from mediaserver.kernel import limits
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.errors import Conflict, NotFound
from mediaserver.memberships.memberships import RENEW
from mediaserver.memberships.plans import TELL, Plans
from mediaserver.memberships.renewals import Renewals
from mediaserver.memberships.subscriptions import Subscriptions
from mediaserver.money import contributions, earnings, hook_inbox, ledger, refunds
from mediaserver.money import told as told_jobs
from mediaserver.money.alert_desk import AlertDesk
from mediaserver.money.books import Books
from mediaserver.money.checkouts import Checkouts
from mediaserver.money.checks import Checks
from mediaserver.money.corrections import Corrections
from mediaserver.money.disputes import Disputes
from mediaserver.money.donations import Donations
from mediaserver.money.earnings import Earnings
from mediaserver.money.earnings_personal import EarningsOfPerson
from mediaserver.money.gateways.gateway import Gateway
from mediaserver.money.gateways.gateways import configured
from mediaserver.money.giving import Giving
from mediaserver.money.history import History
from mediaserver.money.hook_inbox import HookInbox
from mediaserver.money.left_behind import LeftBehind
from mediaserver.money.nightly_check import NightlyCheck
from mediaserver.money.payment_decisions import PaymentDecisions
from mediaserver.money.payment_views import PaymentViews
from mediaserver.money.payout_accounts import PayoutAccounts
from mediaserver.money.payout_desk import PayoutDesk
from mediaserver.money.payouts import Payouts
from mediaserver.money.poller import Poller
from mediaserver.money.receipts import Receipts
from mediaserver.money.refund_desk import RefundDesk
from mediaserver.money.sandbox import Sandbox
from mediaserver.money.settlements import Settlements
from mediaserver.money.supporters import Supporters
from mediaserver.money.thanks import Thanks
from mediaserver.money.tips import Tips
from mediaserver.money.told import Told
from mediaserver.money.topups import TopUps
from mediaserver.money.transfers import Transfers
from mediaserver.money.wallet import Wallets
from mediaserver.routes import keys
from mediaserver.server.foundations import Foundations
from mediaserver.webhooks import gifts


async def add_money(base: Foundations, app: web.Application) -> None:
    """What viewers give, what streamers get, and the books about it.

    Raises `Invalid` or `Conflict` for settings that the books can't follow.
    """
    config = base.config.money
    await base.db.read(_check_currency, config)
    await base.db.write(real_money.settle, config, base.clock.wall_ms())
    app[keys.TIPS] = Tips(base.db, base.clock, config)
    await _add_payments(base, app)
    await _add_payouts(base, app)
    await _add_alerts(base, app)
    await _add_wallets(base, app)
    await _add_books(base, app)


async def add_memberships(base: Foundations, app: web.Application) -> None:
    """Plans, and who pays for one. Without wallets nobody can, and nothing is renewed."""
    db, clock, letterhead, config = base.db, base.clock, base.letterhead, base.config.money
    app[keys.PLANS] = Plans(db, clock, config)
    app[keys.SUBSCRIPTIONS] = Subscriptions(db, clock, letterhead, config)
    if config.enabled and config.wallet:
        renewals = Renewals(db, clock, letterhead)
        base.jobs.register(RENEW, renewals.renew, keeps_done=False)
        base.jobs.register(TELL, renewals.tell)
        base.tidy(renew_late_memberships=renewals.catch_up)


async def _add_payments(base: Foundations, app: web.Application) -> None:
    """Gateways, and payments through them."""
    db, clock, config, letterhead = base.db, base.clock, base.config.money, base.letterhead
    throttles = base.accounts.throttles
    found, provider = configured(base.config, db, clock, base.vault, lambda: letterhead.url)
    base.stack.push_async_callback(found.aclose)
    checks = Checks(db, clock, found, letterhead, config)
    base.stack.push_async_callback(checks.aclose)
    checkouts = Checkouts(db, clock, throttles, letterhead)
    inbox = HookInbox(db, clock, found, checks)
    base.jobs.register(hook_inbox.JOB, inbox.process)
    poller = Poller(db, clock, checks)
    base.jobs.repeat("poll-payments", poller.poll, limits.PAYMENT_POLL_INTERVAL_MS)
    base.tidy(
        delete_old_notifications=inbox.delete_old,
        erase_old_guest_emails=poller.erase_old_emails,
    )
    app[keys.GATEWAYS] = found
    app[keys.PAYMENT_CHECKS] = checks
    app[keys.PAYMENT_VIEWS] = PaymentViews(db)
    app[keys.HOOK_INBOX] = inbox
    app[keys.SANDBOX] = Sandbox(provider, inbox)
    app[keys.TOPUPS] = TopUps(config, found, checkouts, letterhead)
    app[keys.DONATIONS] = Donations(db, clock, config, found, checkouts)
    app[keys.PAYMENT_DECISIONS] = PaymentDecisions(db, clock, config, checks)
    app[keys.TRANSFERS] = Transfers(db, clock, config, throttles, letterhead)


async def _add_payouts(base: Foundations, app: web.Application) -> None:
    """Refunds, disputes, earnings and payouts."""
    db, clock, vault, letterhead = base.db, base.clock, base.vault, base.letterhead
    config = base.config.money
    earned = Earnings(db, clock, config)
    base.tidy(mature_earnings=earned.mature_due, move_left_behind=LeftBehind(db, clock).sweep)
    accounts = PayoutAccounts(db, clock, vault, letterhead)
    given_back = RefundDesk(db, clock, letterhead, partial(_gateway_of, app))
    base.jobs.register(refunds.JOB, given_back.work)
    app[keys.EARNINGS] = earned
    app[keys.EARNINGS_OF_PERSON] = EarningsOfPerson(accounts, config)
    app[keys.PAYOUT_ACCOUNTS] = accounts
    app[keys.PAYOUTS] = Payouts(db, clock, vault, letterhead, accounts, config)
    app[keys.PAYOUT_DESK] = PayoutDesk(db, clock, vault, letterhead, config)
    app[keys.REFUND_DESK] = given_back
    app[keys.DISPUTES] = Disputes(db, clock, letterhead)


def _gateway_of(app: web.Application, name: str) -> Gateway | None:
    """The gateway of a payment; None when the settings no longer have it."""
    try:
        return app[keys.GATEWAYS].get(name)
    except NotFound:
        return None


async def _add_alerts(base: Foundations, app: web.Application) -> None:
    """Alerts, goals and the board of tippers."""
    folder = base.config.storage.path / "images" / "alerts"
    desk = AlertDesk(
        base.db, base.clock, base.accounts.throttles, base.images, folder, base.config.money
    )
    app[keys.ALERTS] = await base.stack.enter_async_context(desk)
    base.tidy(delete_alert_pictures=desk.remove_orphans)


async def _add_wallets(base: Foundations, app: web.Application) -> None:
    """Wallets, terms of giving, history and thanks."""
    db, clock, config, letterhead = base.db, base.clock, base.config.money, base.letterhead
    told = Told(db, clock, letterhead, (partial(gifts.announce, letterhead), earnings.mature_new))
    base.jobs.register(contributions.JOB, told.paid)
    base.jobs.register(told_jobs.JOB_MANY, told.many)
    app[keys.WALLETS] = Wallets(db, config)
    app[keys.HISTORY] = History(db, config)
    app[keys.SUPPORTERS] = Supporters(db)
    app[keys.RECEIPTS] = Receipts(db)
    app[keys.GIVING] = Giving(db, clock, config)
    app[keys.THANKS] = Thanks(db, clock, base.accounts.throttles, letterhead)


async def _add_books(base: Foundations, app: web.Application) -> None:
    """The books, for admins."""
    db, clock, config = base.db, base.clock, base.config.money
    checked = NightlyCheck(db, clock, base.letterhead)
    base.stack.push_async_callback(checked.aclose)
    base.jobs.repeat("check-books", checked.run_nightly, limits.LEDGER_CHECK_INTERVAL_MS)
    checked.begin()
    app[keys.NIGHTLY_CHECK] = checked
    app[keys.BOOKS] = Books(db, clock)
    app[keys.SETTLEMENTS] = Settlements(db, clock, config)
    app[keys.CORRECTIONS] = Corrections(db, clock, config, base.letterhead)


def _check_currency(tx: Transaction, config: MoneyConfig) -> None:
    """Money that was booked in another currency would be out of everybody's reach."""
    others = ledger.currencies_used(tx) - {config.currency}
    if others:
        raise Conflict(
            f"money.currency is {config.currency}, but the books hold {min(others)}. Set it back: "
            "it can't be changed once money was booked."
        )
