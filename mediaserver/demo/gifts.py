"""The demo's money: people with wallets who tip and donate now and then, a goal, a plan to join.

All of it is test money, paid in the sandbox as everybody pays there; on a site with real money, or
without wallets, nothing of this happens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import TypeVar

import structlog

from mediaserver.accounts.users import User, set_verified
from mediaserver.channels.channels import Channel
from mediaserver.kernel import audit, limits
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Conflict, MediaserverError
from mediaserver.memberships.plans import Plans
from mediaserver.memberships.subscriptions import Subscriptions
from mediaserver.money.alert_desk import AlertDesk
from mediaserver.money.contributions import Words
from mediaserver.money.currencies import currency_of, parsed_amount
from mediaserver.money.donations import Donations, Gift
from mediaserver.money.goals import Plan as GoalPlan
from mediaserver.money.payments import Payment
from mediaserver.money.sandbox import NAME as SANDBOX
from mediaserver.money.sandbox import Sandbox
from mediaserver.money.tips import Tips
from mediaserver.money.topups import TopUps

T = TypeVar("T")

_log = structlog.get_logger(__name__)

_MEMBER = "demo_tove"
_WAITS_S = (25, 55, 40, 80, 35, 65)

_TIPS: tuple[tuple[str, int, str, bool], ...] = (
    ("demo_kofi", 2, "for the next log", False),
    ("demo_ana", 5, "this got me through my exams", False),
    ("demo_yuki", 1, "", False),
    ("demo_rahim", 10, "keep it on, please", False),
    ("demo_tove", 3, "from the night shift", True),
    ("demo_kofi", 1, "my kid says hi", False),
    ("demo_yuki", 25, "best channel on here :star:", False),
    ("demo_ana", 2, "one more colour", False),
)
"""Who tips how many times the least tip, in which words, and whether without a name."""

_DONATION_EVERY = 5
_GUEST = Words("Found this by chance, and stayed", "Somebody passing by")


@dataclass(frozen=True, slots=True)
class Till:
    """The parts of the site that the demo pays with, as everybody does."""

    db: Database
    config: MoneyConfig
    topups: TopUps
    donations: Donations
    tips: Tips
    sandbox: Sandbox
    alerts: AlertDesk
    plans: Plans
    subscriptions: Subscriptions


class DemoGifts:
    """Gives until it is cancelled or all is given."""

    def __init__(self, till: Till) -> None:
        self._till = till
        self._currency = currency_of(till.config.currency)

    @property
    def _least(self) -> int:
        """The least tip, as the settings are now."""
        return parsed_amount(self._till.config.tip_min, self._currency) or 1

    @property
    def is_possible(self) -> bool:
        """Whether the money here is test money, and people have wallets."""
        config = self._till.config
        return config.enabled and config.wallet and not config.production

    async def run(
        self, owner: User, people: Mapping[str, User], channels: Sequence[Channel]
    ) -> None:
        """`owner` has the channels and can't be anybody real; `people` by name."""
        await self._till.db.write(lambda tx: set_verified(tx, owner.id, is_verified=True))
        for channel in channels:
            await self._set_goal(owner, channel)
        await self._sell(people)
        waits_s, tips = cycle(_WAITS_S), cycle(_TIPS)
        for place in range(limits.DEMO_GIFTS_MAX):
            for channel in channels:
                name, times, message, is_anonymous = next(tips)
                words = Words(message, is_anonymous=is_anonymous)
                await self._tip(people.get(name), channel, self._least * times, words)
                if place % _DONATION_EVERY == 1:
                    await self._donate(channel)
                await asyncio.sleep(next(waits_s))

    async def _set_goal(self, owner: User, channel: Channel) -> None:
        """Unless there is one."""
        if (await self._till.alerts.support(channel.id)).goal is not None:
            return
        wanted = GoalPlan("A better camera", self._least * 200)
        await self._tried(self._till.alerts.set_goal(owner, channel.slug, wanted), "goal")

    async def _sell(self, people: Mapping[str, User]) -> None:
        """A plan that one of them has, unless an admin made some."""
        if await self._till.plans.list_all():
            return
        made = self._till.plans.make(
            audit.SITE,
            "Friend of the site",
            "You help to pay for the electricity, and our thanks are yours.",
            self._least * 5,
            "month",
        )
        await self._tried(made, "plan")
        for plan in await self._till.plans.on_sale():
            if _MEMBER in people and await self._fill(people[_MEMBER]):
                taken = self._till.subscriptions.subscribe(people[_MEMBER], plan.id, None)
                await self._tried(taken, "membership")

    async def _tip(
        self, user: User | None, channel: Channel, amount_minor: int, words: Words
    ) -> None:
        """Somebody whose wallet is empty puts money into it first."""
        if user is None:
            return
        try:
            await self._till.tips.give(user, channel.slug, amount_minor, words)
        except Conflict:
            if await self._fill(user):
                again = self._till.tips.give(user, channel.slug, amount_minor, words)
                await self._tried(again, "tip")
        except MediaserverError as error:
            _log.debug("demo gift left out", what="tip", reason=error.message)

    async def _donate(self, channel: Channel) -> None:
        least = parsed_amount(self._till.config.donation_min, self._currency) or 1
        gift = Gift(channel.slug, least * 3, SANDBOX, _GUEST, "demo@example.invalid")
        await self._pay(self._till.donations.start(None, gift))

    async def _fill(self, user: User) -> bool:
        amount_minor = max(
            parsed_amount(self._till.config.topup_min, self._currency), self._least * 30
        )
        return await self._pay(self._till.topups.start(user, amount_minor, SANDBOX))

    async def _pay(self, begun: Awaitable[Payment]) -> bool:
        """Press the sandbox's button; whether it was paid."""
        payment = await self._tried(begun, "payment")
        if payment is None:
            return False
        pressed = self._till.sandbox.press(payment.provider_ref, "pay")
        return await self._tried(pressed, "payment") is not None

    async def _tried(self, doing: Awaitable[T], what: str) -> T | None:
        """None where the rules of the site, or an admin, keep the demo from it."""
        try:
            return await doing
        except MediaserverError as error:
            _log.debug("demo gift left out", what=what, reason=error.message)
            return None
