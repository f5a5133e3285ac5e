"""Admission: may this user write this line in this channel, now?

Read once for all lines of a transaction, so that a ban holds whichever way a line comes. Owner,
moderators and admins stand above the rules, but not above a ban or a time-out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mediaserver.accounts.permissions import Rank
from mediaserver.accounts.users import User, users_by_id
from mediaserver.channels.channels import Channel
from mediaserver.channels.follows import followed_since_ms
from mediaserver.chat import log
from mediaserver.chat.emote_list import list_emotes
from mediaserver.chat.events import You
from mediaserver.chat.line_text import has_link, is_emotes_only
from mediaserver.kernel import limits
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.errors import Forbidden, RateLimited
from mediaserver.moderation import ranks, restrictions, rules, words
from mediaserver.moderation.durations import in_words
from mediaserver.moderation.restrictions import Restriction
from mediaserver.moderation.rules import NO_RULES, Rules


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why somebody can't write, and until when if that is known."""

    code: str
    message: str
    until_ms: int | None = None


BANNED_FROM_SITE = Refusal("banned_from_site", "Your account is banned.")


class Admission:
    """What decides about the lines of `users` in `channels`, inside one transaction."""

    def __init__(
        self,
        tx: Transaction,
        channels: Iterable[Channel],
        users: Iterable[User],
        now_ms: int,
    ) -> None:
        self._tx = tx
        self._now_ms = now_ms

        channel_ids = [channel.id for channel in channels]
        user_ids = [user.id for user in users]
        self._moderators = ranks.moderator_ids(tx, channel_ids, user_ids)
        self._restrictions = restrictions.find_all(tx, channel_ids, user_ids, now_ms)
        self._rules = rules.get_all(tx, channel_ids)
        self._words = words.folded_words(tx, channel_ids)
        self._last_ms: dict[tuple[str, str], int | None] = {}
        self._texts: dict[str, set[str]] = {}
        self._codes: dict[str, set[str]] = {}

    def rank(self, channel: Channel, user: User) -> Rank:
        return ranks.rank_among(user, channel, self._moderators)

    def rules(self, channel: Channel) -> Rules:
        return self._rules.get(channel.id, NO_RULES)

    def restriction(self, channel: Channel, user: User) -> Restriction | None:
        return self._restrictions.get((channel.id, user.id))

    def refusal(self, channel: Channel, user: User) -> Refusal | None:
        """Why `user` can't write at all, whatever the line."""
        if user.is_banned:
            return BANNED_FROM_SITE
        if (held := self.restriction(channel, user)) is not None:
            return refusal_of(held, self._now_ms)
        if self.rank(channel, user) >= Rank.MODERATOR:
            return None
        rule = self.rules(channel)
        if rule.lockdown:
            return Refusal("lockdown", "The chat is closed for a moment.")
        # A clock that was set back makes ages negative: without a rule that must not matter.
        age_ms = self._now_ms - user.created_at_ms
        if rule.account_age_min and age_ms < rule.account_age_min * 60_000:
            return Refusal(
                "account_age",
                f"Your account must be {in_words(rule.account_age_min * 60)} old to write here.",
                user.created_at_ms + rule.account_age_min * 60_000,
            )
        if rule.followers_min is not None:
            since_ms = followed_since_ms(self._tx, user.id, channel.id)
            if since_ms is None:
                return Refusal("followers_only", "Only followers can write here. Follow first.")
            if rule.followers_min and self._now_ms - since_ms < rule.followers_min * 60_000:
                length = in_words(rule.followers_min * 60)
                return Refusal(
                    "followers_only",
                    f"You must have followed this channel for {length} to write here.",
                    since_ms + rule.followers_min * 60_000,
                )
        return None

    def wait_ms(self, channel: Channel, user: User) -> int:
        """How long slow mode makes `user` wait; at most its length, whatever clocks do."""
        slow_ms = self.rules(channel).slow_s * 1000
        if slow_ms == 0 or self.rank(channel, user) >= Rank.MODERATOR:
            return 0
        pair = (channel.id, user.id)
        if pair not in self._last_ms:
            self._last_ms[pair] = log.last_said_ms(self._tx, channel.id, user.id)
        last_ms = self._last_ms[pair]
        if last_ms is None:
            return 0
        elapsed_ms = self._now_ms - last_ms
        if elapsed_ms < -limits.CHAT_CLOCK_SKEW_MS:
            return 0  # the clock was set back: what it said then is worth nothing now
        return max(0, min(slow_ms, slow_ms - elapsed_ms))

    def check(self, channel: Channel, user: User, text: str) -> None:
        """Raises `Forbidden` or `RateLimited`, or counts the line as written."""
        if (refusal := self.refusal(channel, user)) is not None:
            raise Forbidden(refusal.message, code=refusal.code)
        if self.rank(channel, user) < Rank.MODERATOR:
            if wait_ms := self.wait_ms(channel, user):
                wait_s = -(-wait_ms // 1000)
                raise RateLimited(
                    f"Slow mode: write again in {in_words(wait_s)}.", retry_after_s=wait_s
                )
            self._check_text(channel, text)
        self._last_ms[(channel.id, user.id)] = self._now_ms
        if channel.id in self._texts:
            self._texts[channel.id].add(words.fold(text) or text)

    def _check_text(self, channel: Channel, text: str) -> None:
        rule = self.rules(channel)
        if words.contains_any(text, self._words.get(channel.id, ())):
            raise Forbidden("This channel doesn't allow a word in it.", code="blocked_words")
        if rule.links == "moderators" and has_link(text):
            raise Forbidden("Links are off in this channel.", code="links")
        if rule.emote_only and not is_emotes_only(text, self._emote_codes(channel)):
            raise Forbidden("Only emotes are allowed right now.", code="emote_only")
        if rule.unique and (words.fold(text) or text) in self._last_texts(channel):
            raise Forbidden("That has just been said. Say it in your own way.", code="unique")

    def _emote_codes(self, channel: Channel) -> set[str]:
        if channel.id not in self._codes:
            self._codes[channel.id] = {emote.code for emote in list_emotes(self._tx, channel.id)}
        return self._codes[channel.id]

    def _last_texts(self, channel: Channel) -> set[str]:
        if channel.id not in self._texts:
            texts = log.last_texts(self._tx, channel.id, limits.CHAT_UNIQUE_LINES)
            self._texts[channel.id] = {words.fold(text) or text for text in texts}
        return self._texts[channel.id]


def refusal_of(held: Restriction, now_ms: int) -> Refusal:
    because = f" Reason: {held.reason}" if held.reason else ""
    if held.until_ms is None:
        return Refusal("banned", f"You are banned from this chat.{because}")
    left = in_words(-(-(held.until_ms - now_ms) // 1000))
    return Refusal("timed_out", f"You can't write here for {left}.{because}", held.until_ms)


def visitor(rule: Rules) -> You:
    """What somebody may do who isn't logged in."""
    return You(
        username=None,
        role=Rank.VIEWER.role,
        can_write=False,
        why_not="Log in to write.",
        code="sign_in",
        until_ms=None,
        slow_s=rule.slow_s,
        next_at_ms=None,
        follows=False,
    )


def you(
    tx: Transaction,
    channel: Channel,
    user: User | None,
    now_ms: int,
) -> You:
    """What the asker may do, and why not."""
    if user is None:
        return visitor(rules.get(tx, channel.id))
    return _you(tx, Admission(tx, [channel], [user], now_ms), channel, user, now_ms)


def yous(tx: Transaction, channel: Channel, user_ids: Iterable[str], now_ms: int) -> dict[str, You]:
    """`you` of several, by their ids; without accounts that are gone."""
    users = users_by_id(tx, user_ids)
    admission = Admission(tx, [channel], users.values(), now_ms)
    return {user.id: _you(tx, admission, channel, user, now_ms) for user in users.values()}


def _you(tx: Transaction, admission: Admission, channel: Channel, user: User, now_ms: int) -> You:
    rank = admission.rank(channel, user)
    refusal = admission.refusal(channel, user)
    wait_ms = admission.wait_ms(channel, user)
    return You(
        username=user.username,
        role=ranks.role_of(rank, user.id, channel),
        can_write=refusal is None,
        why_not=refusal.message if refusal else None,
        code=refusal.code if refusal else None,
        until_ms=refusal.until_ms if refusal else None,
        slow_s=0 if rank >= Rank.MODERATOR else admission.rules(channel).slow_s,
        next_at_ms=now_ms + wait_ms if wait_ms else None,
        follows=followed_since_ms(tx, user.id, channel.id) is not None,
    )
