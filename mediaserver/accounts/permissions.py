"""Permissions: the one place that says who may do what.

`can(actor, action, thing)` is asked by pages, API and Socket.IO alike. It is pure: whose a thing is
and who moderates it is handed in as a `Thing` by the feature that knows.

    role   what somebody is on the site:   visitor < normal < premium < admin
    rank   what they are to one thing:     viewer < moderator < owner < admin

Not in the table: what everybody may, such as watching; one's own account, as no operation takes
another's; publishing, which a stream key opens; and writing in a chat (chat/admission.py).
An admin who is off duty (routes/duty.py says when) has the rank of anybody else.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from enum import Enum, IntEnum

from mediaserver.accounts.users import User
from mediaserver.kernel.errors import Forbidden, Unauthorized


class Role(IntEnum):
    """What somebody is on the site; higher ones may all that lower ones may."""

    VISITOR = 0
    NORMAL = 1
    PREMIUM = 2
    ADMIN = 3

    @property
    def label(self) -> str:
        """The public name."""
        return self.name.lower()


class Rank(IntEnum):
    """What somebody is to one thing; higher ones may all that lower ones may."""

    VIEWER = 0
    MODERATOR = 1
    OWNER = 2
    ADMIN = 3

    @property
    def role(self) -> str:
        """The public name."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Thing:
    """What is acted on. Without an owner it is the site's."""

    owner_id: str | None = None
    moderator_ids: Collection[str] = field(default=frozenset())


SITE = Thing()


@dataclass(frozen=True, slots=True)
class _Need:
    """What an action asks for. `by_banned`: also somebody who is banned may, such as appeal."""

    role: Role
    rank: Rank = Rank.VIEWER
    by_banned: bool = False


def _user(*, by_banned: bool = False) -> _Need:
    return _Need(Role.NORMAL, by_banned=by_banned)


def _moderator() -> _Need:
    return _Need(Role.NORMAL, Rank.MODERATOR)


def _owner(*, by_banned: bool = False) -> _Need:
    return _Need(Role.NORMAL, Rank.OWNER, by_banned)


def _admin() -> _Need:
    return _Need(Role.ADMIN, Rank.ADMIN)


class Action(Enum):
    """What somebody may or may not do, with what it asks for."""

    FOLLOW = "follow", _user()
    REPORT = "report", _user()

    APPEAL = "appeal", _user(by_banned=True)

    CREATE_CHANNEL = "make a channel", _user()
    MANAGE_CHANNEL = "manage the channel", _owner()
    SEND_DOCUMENTS = "send documents", _user()
    READ_DOCUMENT = "read a document", _owner(by_banned=True)

    MODERATE_CHAT = "moderate the chat", _moderator()
    READ_MODERATION_LOG = "read the log of the moderators", _moderator()
    CHANGE_MODERATORS = "choose moderators", _owner()
    CHANGE_EMOTES = "change the channel's emotes", _owner()

    GIVE = "give money", _user()
    USE_WALLET = "use a wallet", _user()
    READ_OWN_MONEY = "read what became of their money", _user(by_banned=True)
    MANAGE_MONEY = "manage the channel's tips", _owner()
    MODERATE_ALERTS = "approve, replay and skip alerts", _moderator()
    WITHDRAW = "withdraw earnings", _user()
    SUBSCRIBE = "take out a membership", _user()

    FORM_TEAM = "form a team", _user()
    JOIN_TEAM = "join a team", _user()
    MANAGE_TEAM = "manage the team", _owner()

    USE_ADMIN_DESK = "use the admin desk", _admin()
    CHANGE_USERS = "change other accounts", _admin()
    DECIDE_VERIFICATION = "decide on a verification", _admin()
    DECIDE_REPORT = "decide on a report", _admin()
    SANCTION = "warn or ban", _admin()
    END_ANY_STREAM = "end any stream", _admin()
    CHANGE_CATEGORIES = "change categories", _admin()
    CHANGE_SITE_EMOTES = "change the site's emotes", _admin()
    CHANGE_SITE_WEBHOOKS = "change the site's webhooks", _admin()
    CHANGE_SETTINGS = "change settings", _admin()
    PUBLISH_POLICIES = "publish policies", _admin()
    READ_MAIL = "read the site's mail", _admin()
    MANAGE_JOBS = "see to work in the background", _admin()
    READ_AUDIT = "read the audit log", _admin()
    READ_STATISTICS = "read statistics", _admin()
    READ_BOOKS = "read the books", _admin()
    CORRECT_BOOKS = "correct the books", _admin()
    DECIDE_PAYMENT = "decide on payments and refunds", _admin()
    DECIDE_PAYOUT = "decide on payouts", _admin()
    CHANGE_PLANS = "change plans of membership", _admin()
    MAKE_BACKUPS = "make backups", _admin()

    def __init__(self, phrase: str, need: _Need) -> None:
        self.phrase = phrase
        self.need = need


def role_of(actor: User | None) -> Role:
    if actor is None:
        return Role.VISITOR
    if actor.is_admin:
        return Role.ADMIN
    return Role.PREMIUM if actor.is_premium else Role.NORMAL


def rank_of(actor: User | None, thing: Thing) -> Rank:
    if actor is None:
        return Rank.VIEWER
    if actor.is_admin and not actor.is_off_duty:
        return Rank.ADMIN
    if thing.owner_id == actor.id:
        return Rank.OWNER
    return Rank.MODERATOR if actor.id in thing.moderator_ids else Rank.VIEWER


def can(actor: User | None, action: Action, thing: Thing = SITE) -> bool:
    """Whether `actor`, or a visitor who isn't logged in, may do `action` to `thing`."""
    need = action.need
    if actor is not None and actor.is_banned and not need.by_banned:
        return False
    return role_of(actor) >= need.role and rank_of(actor, thing) >= need.rank


def check(actor: User | None, action: Action, thing: Thing = SITE) -> None:
    """Raises `Unauthorized` for a visitor who might once they log in, else `Forbidden`."""
    if can(actor, action, thing):
        return
    if actor is None:
        raise Unauthorized("Log in first.", code="log_in")
    if actor.is_banned:
        raise Forbidden("This account is banned.", code="banned")
    if actor.is_off_duty and can(replace(actor, is_off_duty=False), action, thing):
        raise Forbidden(
            "You aren't acting as an admin here. Open the admin desk first.", code="off_duty"
        )
    raise Forbidden(_refusal(action))


def check_rank(rank: Rank, action: Action) -> None:
    """`check` where the rank is known already. Raises `Forbidden`."""
    if rank < action.need.rank:
        raise Forbidden(_refusal(action))


def _refusal(action: Action) -> str:
    who = {
        Rank.MODERATOR: "Only moderators of this channel",
        Rank.OWNER: "Only the owner",
        Rank.ADMIN: "Only admins",
    }.get(action.need.rank, "Not everybody")
    return f"{who} may {action.phrase}."
