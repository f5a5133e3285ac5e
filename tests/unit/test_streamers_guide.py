"""The streamer's guide writes every command of the chat as /help does, and none besides."""

from __future__ import annotations

import re
from pathlib import Path

from mediaserver.accounts.permissions import Rank
from mediaserver.chat.commands import commands_for

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "streaming.md"


def test_the_guide_lists_the_commands() -> None:
    table = GUIDE.read_text().partition("### Commands")[2].partition("### Emotes")[0]
    described = re.findall(r"^\| `(/.+?)` \|", table.replace("\\|", "|"), re.MULTILINE)
    assert sorted(described) == sorted(command.usage for command in commands_for(Rank.OWNER))
