"""`AlertDesk`: what pages, the API and overlays call for alerts, goals and boards of tippers.

Owners set things up; moderators approve, skip and replay. Every method is one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import select

from mediaserver.accounts.permissions import Action, Thing, check
from mediaserver.accounts.throttles import Rule, Throttles
from mediaserver.accounts.users import User
from mediaserver.channels import channels
from mediaserver.channels.channels import Channel
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import MoneyConfig
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.paging import rows_behind
from mediaserver.kernel.errors import Forbidden, NotFound
from mediaserver.kernel.ids import new_id
from mediaserver.kernel.images import ImageFolder, Images, ImageShape
from mediaserver.moderation import ranks
from mediaserver.money import alert_looks, alert_setup, alerts, goals, support, tip_lines, tippers
from mediaserver.money.alert_looks import Look, Rules
from mediaserver.money.alert_setup import Setup
from mediaserver.money.alerts import AlertReady, AlertTaken, Showing
from mediaserver.money.contributions import Contribution, contribution, to_contribution
from mediaserver.money.currencies import currency_of, money, parsed_amount
from mediaserver.money.goals import Goal, Plan
from mediaserver.money.support import Support
from mediaserver.money.tip_lines import KeptLine
from mediaserver.money.tippers import Board, Period

SHAPE = ImageShape(
    width_max=limits.ALERT_PICTURE_SIDE_MAX,
    height_max=limits.ALERT_PICTURE_SIDE_MAX,
    bytes_max=limits.ALERT_PICTURE_BYTES_MAX,
    upload_bytes_max=limits.ALERT_PICTURE_UPLOAD_BYTES_MAX,
    frames_max=limits.ALERT_PICTURE_FRAMES_MAX,
    kinds=("PNG", "WEBP", "JPEG", "GIF"),
)

_UPLOADS = Rule("alert-user", limits.ALERT_UPLOADS_BURST, limits.ALERT_UPLOADS_INTERVAL_MS)
_TESTS = Rule("alert-test", limits.ALERT_TESTS_BURST, limits.ALERT_TESTS_INTERVAL_MS)
_SAMPLE = "This is how your alert looks and sounds."


class AlertDesk:
    """An async context manager: entering removes pictures that a crash left behind."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        throttles: Throttles,
        images: Images,
        folder: Path,
        config: MoneyConfig,
    ) -> None:
        self._db = db
        self._clock = clock
        self._throttles = throttles
        self._images = images
        self._config = config

        self._folder = ImageFolder(folder, alert_looks.PICTURE_PREFIX)

    async def __aenter__(self) -> Self:
        currency = currency_of(self._config.currency)
        smallest = parsed_amount(self._config.tip_min, currency, "tip_min")
        await self._db.write(tip_lines.set_scale, currency.code, smallest)
        await self._folder.remove_others(await self._db.read(alert_looks.picture_ids))
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return

    @property
    def is_on(self) -> bool:
        """Whether the site knows money at all."""
        return self._config.enabled

    @property
    def currency(self) -> str:
        return self._config.currency

    # what is shown ----------------------------------------------------------------------------

    async def waiting(self, channel_id: str) -> list[Showing]:
        """What an overlay that opens now has to show, oldest first."""
        return await self._db.read(alerts.waiting, channel_id, self._clock.wall_ms())

    async def shown(self, found: Channel, alert_id: str, turn: int) -> bool:
        """An overlay begins to show it; whether it is the first. Raises `NotFound`."""
        now_ms = self._clock.wall_ms()
        return await self._db.write(alerts.mark_shown, found, alert_id, turn, now_ms)

    async def looks(self, channel_id: str) -> list[Look]:
        """How alerts look, by amount."""
        return await self._db.read(alert_looks.looks_of, channel_id)

    async def kept(self, channel_id: str) -> list[KeptLine]:
        """Tips on top of the chat, newest first."""
        if not self.is_on:
            return []
        return await self._db.read(alerts.kept, channel_id, self._clock.wall_ms())

    async def support(self, channel_id: str) -> Support:
        """The goal and the biggest tippers, as everybody may see them."""
        now_ms = self._clock.wall_ms()
        return await self._db.read(support.support_of, channel_id, self.currency, now_ms)

    # what moderators do -----------------------------------------------------------------------

    async def moderated(self, actor: User, slug: str) -> Channel:
        """The channel, if `actor` may approve there. Raises `NotFound` or `Forbidden`."""
        return await self._db.read(_moderated, actor, slug)

    async def approve(
        self, actor: User, slug: str, alert_id: str, *, message: bool = True
    ) -> Contribution:
        """Show one that is held, with what its giver wrote or without.

        Raises `NotFound`, `Forbidden` or `Conflict` (decided already).
        """
        return await self._db.write(
            _approve, actor, slug, alert_id, self._clock.wall_ms(), message=message
        )

    async def deny(self, actor: User, slug: str, alert_id: str) -> Contribution:
        """Show nothing of one that is held. Raises as `approve`."""
        return await self._db.write(_deny, actor, slug, alert_id, self._clock.wall_ms())

    async def skip(self, actor: User, slug: str, alert_id: str) -> Contribution:
        """Off the overlay with it. Raises as `approve`."""
        return await self._db.write(_skip, actor, slug, alert_id)

    async def skip_current(self, actor: User, slug: str) -> None:
        """Off with whatever overlays show right now. Raises `NotFound` or `Forbidden`."""
        await self._db.write(_skip_current, actor, slug)

    async def replay(self, actor: User, slug: str, alert_id: str) -> Contribution:
        """Show it once more. Raises as `approve`."""
        return await self._db.write(_replay, actor, slug, alert_id, self._clock.wall_ms())

    async def test(self, actor: User, slug: str, amount_minor: int) -> Showing:
        """Have open overlays show a sample. Raises `NotFound`, `Forbidden` or `RateLimited`."""
        await self._throttles.charge((_TESTS, _TESTS.key(actor.id)))
        return await self._db.write(_test, actor, slug, amount_minor, self.currency)

    async def queue(self, actor: User, slug: str) -> list[Contribution]:
        """What waits for somebody or for an overlay, oldest first. Raises `NotFound` or
        `Forbidden`.
        """
        return await self._db.read(_queue, actor, slug, self._clock.wall_ms())

    async def given(
        self, actor: User, slug: str, after: str | None = None, most: int = limits.ALERTS_LISTED_MAX
    ) -> list[Contribution]:
        """What the channel was given, newest first, behind the one with the id `after`. Raises
        `NotFound` or `Forbidden`.
        """
        return await self._db.read(_given, actor, slug, after, most)

    # what owners set up -----------------------------------------------------------------------

    async def setup(self, actor: User, slug: str) -> Setup:
        """Raises `NotFound` or `Forbidden`."""
        return await self._db.read(alert_setup.setup, actor, slug)

    async def set_rules(self, actor: User, slug: str, changes: Mapping[str, Any]) -> Rules:
        """Change what is given. Raises `NotFound`, `Forbidden` or `Invalid`."""
        return await self._db.write(
            alert_setup.set_rules, actor, slug, changes, self._clock.wall_ms()
        )

    async def put_look(
        self, actor: User, slug: str, look_id: str, given: Mapping[str, Any]
    ) -> Look:
        """Change a look, or make one (`look_id` is empty). Raises `NotFound`, `Forbidden`,
        `Invalid` or `Conflict`.
        """
        return await self._db.write(
            alert_setup.put_look, actor, slug, look_id, given, self._clock.wall_ms()
        )

    async def remove_look(self, actor: User, slug: str, look_id: str) -> None:
        """Raises `NotFound` or `Forbidden`."""
        await self._db.write(alert_setup.remove_look, actor, slug, look_id, self._clock.wall_ms())

    async def put_picture(self, actor: User, slug: str, look_id: str, image: bytes) -> Look:
        """Show a picture of one's own. Raises `NotFound`, `Forbidden`, `Invalid(field="picture")`,
        `TooLarge`, `RateLimited` or `Unavailable`.
        """
        await self._db.read(alert_setup.setup, actor, slug)
        await self._throttles.charge((_UPLOADS, _UPLOADS.key(actor.id)))
        picture = await self._images.encode(image, SHAPE)
        picture_id = new_id(alert_looks.PICTURE_PREFIX)
        await self._folder.put(picture_id, picture.webp)
        try:
            return await self._db.write(
                alert_setup.put_picture, actor, slug, look_id, picture_id, self._clock.wall_ms()
            )
        except (Forbidden, NotFound):  # after any other error it may yet be committed
            await self._folder.remove(picture_id)
            raise

    async def set_goal(self, actor: User, slug: str, plan: Plan, *, anew: bool = False) -> Goal:
        """Set the goal; `anew` counts from now on. Raises `NotFound`, `Forbidden` or `Invalid`."""
        now_ms = self._clock.wall_ms()
        return await self._db.write(
            alert_setup.set_goal, actor, slug, plan, self.currency, now_ms, anew=anew
        )

    async def remove_goal(self, actor: User, slug: str) -> None:
        """Raises `NotFound` or `Forbidden`."""
        await self._db.write(alert_setup.remove_goal, actor, slug, self._clock.wall_ms())

    async def set_board(self, actor: User, slug: str, board: Board) -> Board:
        """Raises `NotFound`, `Forbidden` or `Invalid`."""
        return await self._db.write(
            alert_setup.set_board, actor, slug, board, self._clock.wall_ms()
        )

    async def top(self, slug: str, period: Period, most: int) -> Support:
        """The channel's biggest tippers of a period, for everybody, as its streamer shows them.
        Raises `NotFound`.
        """
        return await self._db.read(_top, slug, period, most, self.currency, self._clock.wall_ms())

    # pictures ---------------------------------------------------------------------------------

    def file(self, picture_id: str) -> Path:
        """The picture as WebP. Raises `NotFound`."""
        return self._folder.path(picture_id)

    async def remove_orphans(self) -> None:
        """Delete the files of what nothing shows any more."""
        await self._folder.remove_orphans(await self._db.read(alert_looks.picture_ids))


def _moderated(tx: Transaction, actor: User, slug: str) -> Channel:
    found, fresh = channels.get(tx, slug), alert_setup.fresh(tx, actor)
    moderators = {user for _, user in ranks.moderator_ids(tx, [found.id], [fresh.id])}
    check(fresh, Action.MODERATE_ALERTS, Thing(found.owner_id, moderators))
    return found


def _approve(
    tx: Transaction, actor: User, slug: str, alert_id: str, now_ms: int, *, message: bool
) -> Contribution:
    found = _moderated(tx, actor, slug)
    return alerts.approve(tx, found, actor, alert_id, now_ms, message=message)


def _deny(tx: Transaction, actor: User, slug: str, alert_id: str, now_ms: int) -> Contribution:
    return alerts.deny(tx, _moderated(tx, actor, slug), actor, alert_id, now_ms)


def _skip(tx: Transaction, actor: User, slug: str, alert_id: str) -> Contribution:
    return alerts.skip(tx, _moderated(tx, actor, slug), alert_id)


def _skip_current(tx: Transaction, actor: User, slug: str) -> None:
    found = _moderated(tx, actor, slug)
    tx.emit(AlertTaken(found.id, found.slug, None))


def _replay(tx: Transaction, actor: User, slug: str, alert_id: str, now_ms: int) -> Contribution:
    return alerts.replay(tx, _moderated(tx, actor, slug), alert_id, now_ms)


def _test(tx: Transaction, actor: User, slug: str, amount_minor: int, currency: str) -> Showing:
    found = alert_setup.managed(tx, actor, slug)
    looks, rules = alert_looks.looks_of(tx, found.id), alert_looks.rules_of(tx, found.id)
    sample = Showing(
        id=new_id("test"),
        turn=0,
        kind="tip",
        name=actor.username,
        amount_minor=amount_minor,
        currency=currency,
        amount=money(amount_minor, currency),
        message=_SAMPLE,
        goal=alerts.goal_text(tx, found.id),
        line_id=None,
        gap_ms=rules.gap_ms,
        look=alert_looks.look_for(looks, amount_minor).as_json(),
    )
    tx.emit(AlertReady(found.id, found.slug, sample))
    return sample


def _queue(tx: Transaction, actor: User, slug: str, now_ms: int) -> list[Contribution]:
    found = _moderated(tx, actor, slug)
    rows = tx.execute(
        select(contribution)
        .join(alerts.alert, alerts.alert.c.contribution_id == contribution.c.id)
        .where(
            contribution.c.channel_id == found.id,
            (contribution.c.alert == "held")
            | (
                (contribution.c.alert == "waiting")
                & (alerts.alert.c.queued_at_ms >= now_ms - limits.ALERT_WAITS_MS)
            ),
        )
        .order_by(contribution.c.paid_at_ms, contribution.c.id)
        .limit(limits.ALERTS_LISTED_MAX)
    )
    return [to_contribution(row) for row in rows]


def _given(
    tx: Transaction, actor: User, slug: str, after: str | None, most: int
) -> list[Contribution]:
    found = _moderated(tx, actor, slug)
    query = select(contribution).where(
        contribution.c.channel_id == found.id, contribution.c.paid_at_ms.is_not(None)
    )
    rows = rows_behind(tx, query, contribution.c.paid_at_ms, after, most)
    return [to_contribution(row) for row in rows]


def _top(
    tx: Transaction, slug: str, period: Period, most: int, currency: str, now_ms: int
) -> Support:
    found = channels.get_visible(tx, slug)
    board = tippers.board_of(tx, found.id)
    large = tippers.top(tx, found.id, period, most, now_ms) if board.is_public else []
    return Support(goals.find(tx, found.id), None, large, board, currency)
