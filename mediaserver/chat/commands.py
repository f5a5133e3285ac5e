"""Slash commands: what a line that begins with / means. One table serves parser, help and clients.

Pure: a command becomes an action (chat/actions.py) or a sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mediaserver.accounts.permissions import Rank
from mediaserver.chat import actions
from mediaserver.chat.actions import Action
from mediaserver.kernel.errors import Forbidden, Invalid
from mediaserver.moderation.durations import seconds_of


@dataclass(frozen=True, slots=True)
class CommandHelp:
    """A command as /help and a client's list of suggestions show it."""

    name: str
    usage: str
    help: str


@dataclass(frozen=True, slots=True)
class PinNewest:
    """/pin without a line: the newest one of whoever says it."""


@dataclass(frozen=True, slots=True)
class ListModerators:
    """/mods"""


@dataclass(frozen=True, slots=True)
class ShowHelp:
    """/help"""


Meaning = Action | PinNewest | ListModerators | ShowHelp


@dataclass(frozen=True, slots=True)
class Written:
    """A command as it was written: the words behind its name, and what the line replies to."""

    rest: str
    reply_to: str | None
    nonce: str

    @property
    def is_off(self) -> bool:
        return self.rest.lower() in ("off", "0")

    def name(self) -> str:
        """The rest as one user name."""
        if not self.rest or " " in self.rest:
            raise Invalid("Name one person.", field="text")
        return self.rest

    def name_and_rest(self) -> tuple[str, str]:
        name, _, rest = self.rest.partition(" ")
        if not name:
            raise Invalid("Name one person.", field="text")
        return name, rest.strip()

    def switch(self) -> bool:
        """True for nothing or "on", False for "off"."""
        if self.rest.lower() in ("", "on", "off"):
            return not self.is_off
        raise Invalid("Write on or off.", field="text")


@dataclass(frozen=True, slots=True)
class _Command:
    help: CommandHelp
    rank: Rank
    parse: Callable[[Written], Meaning]


def _time_out(written: Written) -> Meaning:
    name, rest = written.name_and_rest()
    length, _, reason = rest.partition(" ")
    return actions.TimeOut(name, seconds_of(length or "10m", "text"), reason.strip())


def _ban(written: Written) -> Meaning:
    return actions.Ban(*written.name_and_rest())


def _slow(written: Written) -> Meaning:
    seconds = 0 if written.is_off else seconds_of(written.rest or "30s", "text")
    return actions.SetRules({"slow_s": seconds})


def _followers(written: Written) -> Meaning:
    if written.rest.lower() == "off":
        return actions.SetRules({"followers_min": None})
    return actions.SetRules({"followers_min": _minutes(written.rest or "0")})


def _account_age(written: Written) -> Meaning:
    if not written.rest:
        raise Invalid("Say how old an account must be, such as 1d, or off.", field="text")
    minutes = 0 if written.is_off else _minutes(written.rest)
    return actions.SetRules({"account_age_min": minutes})


def _minutes(length: str) -> int:
    return -(-seconds_of(length, "text", unit_s=60) // 60)


def _links(written: Written) -> Meaning:
    if written.rest.lower() not in ("on", "off"):
        raise Invalid("Write on or off.", field="text")
    return actions.SetRules({"links": "moderators" if written.is_off else "all"})


def _delete(written: Written) -> Meaning:
    line_id = written.rest or written.reply_to
    if not line_id:
        raise Invalid("Reply to the message that should go, or give its id.", field="text")
    return actions.Remove(line_id)


def _pin(written: Written) -> Meaning:
    line_id = written.rest or written.reply_to
    return actions.Pin(line_id) if line_id else PinNewest()


def _announce(written: Written) -> Meaning:
    colour, _, text = written.rest.partition(" ")
    if colour in actions.COLOURS and text.strip():
        return actions.Announce(text.strip(), colour, written.nonce)
    return actions.Announce(written.rest, nonce=written.nonce)


def _command(
    name: str, usage: str, text: str, rank: Rank, parse: Callable[[Written], Meaning]
) -> tuple[str, _Command]:
    shown = f"/{name} {usage}".rstrip()
    return name, _Command(CommandHelp(name, shown, text), rank, parse)


_MODERATOR, _OWNER = Rank.MODERATOR, Rank.OWNER

_COMMANDS: dict[str, _Command] = dict(
    (
        _command("help", "", "Show these commands.", Rank.VIEWER, lambda _: ShowHelp()),
        _command("mods", "", "Show who moderates here.", Rank.VIEWER, lambda _: ListModerators()),
        _command(
            "timeout",
            "NAME [LENGTH] [reason]",
            "Keep somebody from writing for a while: 30s, 10m, 1h, 7d. Without a length 10m.",
            _MODERATOR,
            _time_out,
        ),
        _command(
            "untimeout",
            "NAME",
            "End a time-out.",
            _MODERATOR,
            lambda written: actions.Untimeout(written.name()),
        ),
        _command("ban", "NAME [reason]", "Keep somebody from writing for good.", _MODERATOR, _ban),
        _command(
            "unban",
            "NAME",
            "Let somebody write again.",
            _MODERATOR,
            lambda written: actions.Unban(written.name()),
        ),
        _command(
            "delete",
            "[ID]",
            "Remove a message: the one you reply to, or the one with this id.",
            _MODERATOR,
            _delete,
        ),
        _command("clear", "", "Remove all messages.", _MODERATOR, lambda _: actions.Clear()),
        _command(
            "pin",
            "[ID]",
            "Pin the message you reply to, the one with this id, or your last one.",
            _MODERATOR,
            _pin,
        ),
        _command(
            "unpin", "", "Take the pinned message down.", _MODERATOR, lambda _: actions.Unpin()
        ),
        _command(
            "announce",
            "[accent|good|warn] TEXT",
            "Write a highlighted message.",
            _MODERATOR,
            _announce,
        ),
        _command(
            "slow",
            "[LENGTH|off]",
            "One message in so many seconds from each viewer. Without a length 30s.",
            _MODERATOR,
            _slow,
        ),
        _command(
            "followers",
            "[LENGTH|off]",
            "Only followers write; with a length, only those who have followed for so long.",
            _MODERATOR,
            _followers,
        ),
        _command(
            "accountage",
            "LENGTH|off",
            "Only accounts of this age write.",
            _MODERATOR,
            _account_age,
        ),
        _command(
            "emoteonly",
            "[off]",
            "Only emotes.",
            _MODERATOR,
            lambda written: actions.SetRules({"emote_only": written.switch()}),
        ),
        _command(
            "unique",
            "[off]",
            "No message that has just been said.",
            _MODERATOR,
            lambda written: actions.SetRules({"unique": written.switch()}),
        ),
        _command("links", "on|off", "Whether viewers may post links.", _MODERATOR, _links),
        _command(
            "lockdown",
            "[off]",
            "Only moderators write.",
            _MODERATOR,
            lambda written: actions.SetRules({"lockdown": written.switch()}),
        ),
        _command(
            "mod",
            "NAME",
            "Make somebody a moderator.",
            _OWNER,
            lambda written: actions.AddModerator(written.name()),
        ),
        _command(
            "unmod",
            "NAME",
            "Take that back.",
            _OWNER,
            lambda written: actions.RemoveModerator(written.name()),
        ),
    )
)


def commands_for(rank: Rank) -> tuple[CommandHelp, ...]:
    """What somebody of this rank may use, in the order in which it is shown."""
    return tuple(command.help for command in _COMMANDS.values() if command.rank <= rank)


def is_command(text: str) -> bool:
    return text.startswith("/")


def parse(text: str, rank: Rank, *, reply_to: str | None, nonce: str) -> Meaning:
    """What the line means. Raises `Invalid` or `Forbidden`."""
    name, _, rest = text.removeprefix("/").partition(" ")
    command = _COMMANDS.get(name.lower())
    if command is None:
        raise Invalid("There is no such command. Write /help to see all.", field="text")
    if rank < command.rank:
        who = "the owner" if command.rank == Rank.OWNER else "moderators"
        raise Forbidden(f"Only {who} of this channel may do that.")
    try:
        return command.parse(Written(rest.strip(), reply_to, nonce))
    except Invalid as error:
        raise Invalid(f"{error.message} Usage: {command.help.usage}", field="text") from error


def help_text(rank: Rank) -> str:
    return "\n".join(f"{command.usage}: {command.help}" for command in commands_for(rank))
