"""Slash commands: every row of the table parses, and what it says of itself is true."""

from __future__ import annotations

import pytest

from mediaserver.accounts.permissions import Rank
from mediaserver.chat import actions
from mediaserver.chat.commands import (
    ListModerators,
    Meaning,
    PinNewest,
    ShowHelp,
    commands_for,
    help_text,
    parse,
)
from mediaserver.kernel.errors import Forbidden, Invalid


def _parse(text: str, rank: Rank = Rank.OWNER, reply_to: str | None = None) -> Meaning:
    return parse(text, rank, reply_to=reply_to, nonce="n")


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("/help", ShowHelp()),
        ("/mods", ListModerators()),
        ("/timeout bob", actions.TimeOut("bob", 600)),
        ("/timeout bob 30s", actions.TimeOut("bob", 30)),
        ("/TIMEOUT @bob 1h be  kind", actions.TimeOut("@bob", 3600, "be  kind")),
        ("/untimeout bob", actions.Untimeout("bob")),
        ("/ban bob", actions.Ban("bob")),
        ("/ban bob spam and more", actions.Ban("bob", "spam and more")),
        ("/unban bob", actions.Unban("bob")),
        ("/delete msg_x", actions.Remove("msg_x")),
        ("/clear", actions.Clear()),
        ("/pin msg_x", actions.Pin("msg_x")),
        ("/pin", PinNewest()),
        ("/unpin", actions.Unpin()),
        ("/announce hello all", actions.Announce("hello all", nonce="n")),
        ("/announce warn take care", actions.Announce("take care", "warn", "n")),
        ("/announce warn", actions.Announce("warn", nonce="n")),
        ("/slow", actions.SetRules({"slow_s": 30})),
        ("/slow 1m", actions.SetRules({"slow_s": 60})),
        ("/slow off", actions.SetRules({"slow_s": 0})),
        ("/followers", actions.SetRules({"followers_min": 0})),
        ("/followers 10", actions.SetRules({"followers_min": 10})),
        ("/followers 1d", actions.SetRules({"followers_min": 1440})),
        ("/followers off", actions.SetRules({"followers_min": None})),
        ("/accountage 1h", actions.SetRules({"account_age_min": 60})),
        ("/accountage off", actions.SetRules({"account_age_min": 0})),
        ("/emoteonly", actions.SetRules({"emote_only": True})),
        ("/emoteonly off", actions.SetRules({"emote_only": False})),
        ("/unique on", actions.SetRules({"unique": True})),
        ("/links off", actions.SetRules({"links": "moderators"})),
        ("/links on", actions.SetRules({"links": "all"})),
        ("/lockdown", actions.SetRules({"lockdown": True})),
        ("/mod bob", actions.AddModerator("bob")),
        ("/unmod bob", actions.RemoveModerator("bob")),
    ],
)
def test_meanings(text: str, meaning: Meaning) -> None:
    assert _parse(text) == meaning


def test_every_command_has_a_test_above() -> None:
    marks = test_meanings.pytestmark  # type: ignore[attr-defined]
    tested = {text.split()[0].lower() for text, _ in marks[0].args[1]}
    assert tested == {f"/{one.name}" for one in commands_for(Rank.OWNER)}


def test_a_reply_names_the_line() -> None:
    assert _parse("/pin", reply_to="msg_a") == actions.Pin("msg_a")
    assert _parse("/delete", reply_to="msg_a") == actions.Remove("msg_a")


@pytest.mark.parametrize(
    "text",
    ["/", "/nothing", "/ help", "//", "/timeout", "/timeout bob soon", "/unban", "/unban a b",
     "/delete", "/links", "/links maybe", "/lockdown perhaps", "/slow fast", "/accountage"],
)  # fmt: skip
def test_wrong_commands(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        _parse(text)
    assert caught.value.field == "text"
    assert "/" in caught.value.message


def test_ranks() -> None:
    assert {one.name for one in commands_for(Rank.VIEWER)} == {"help", "mods"}
    assert "mod" not in {one.name for one in commands_for(Rank.MODERATOR)}
    for command in commands_for(Rank.OWNER):
        assert command.usage.startswith(f"/{command.name}")
        assert command.help.endswith(".")
        assert command.usage in help_text(Rank.OWNER)
    for command in commands_for(Rank.MODERATOR)[2:]:
        with pytest.raises(Forbidden):
            _parse(f"/{command.name} bob", Rank.VIEWER)
    with pytest.raises(Forbidden):
        _parse("/mod bob", Rank.MODERATOR)
