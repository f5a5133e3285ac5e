"""The streamer's guide says what is so: commands as /help has them, alerts as pages have them."""

from __future__ import annotations

import re
from pathlib import Path

from mediaserver.accounts.permissions import Rank
from mediaserver.chat.commands import commands_for
from mediaserver.kernel import limits
from mediaserver.money.alert_looks import PLACES

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "streaming.md"


def test_the_guide_lists_the_commands() -> None:
    table = GUIDE.read_text().partition("### Commands")[2].partition("### Emotes")[0]
    described = re.findall(r"^\| `(/.+?)` \|", table.replace("\\|", "|"), re.MULTILINE)
    assert sorted(described) == sorted(command.usage for command in commands_for(Rank.OWNER))


def _tips() -> str:
    return GUIDE.read_text().partition("## Tips and alerts")[2].partition("\n## ")[0]


def test_the_guide_says_how_long_tips_stay_on_top() -> None:
    rows = re.findall(r"^\| (\d+) \| (\d+) (s|min) \|", _tips(), re.MULTILINE)
    said = [(int(times), int(length) * {"s": 1, "min": 60}[unit]) for times, length, unit in rows]
    assert said == [(times, seconds) for times, seconds in limits.TIP_TIERS if seconds]


def test_the_guide_names_the_bounds_and_places_of_alerts() -> None:
    text = " ".join(_tips().split())
    assert f"up to {limits.ALERT_LOOKS_MAX} of them by amount" in text
    assert f"1 to {limits.TIPPERS_MAX} of them" in text
    assert all(f"`{{{place}}}`" in text for place in PLACES)


def test_the_guide_names_what_stands_on_the_page() -> None:
    """What is bold there or in cursive can be found on the page of the studio."""
    page = (ROOT / "web/templates/studio/alerts.html").read_text()
    text = _tips().partition("### In your picture")[2].partition("### Afterwards")[0]
    elsewhere = {"Studio → Alerts → In your picture", "Somebody", "New address", "OBS is connected"}
    named = {*re.findall(r"\*\*([^*]+)\*\*", text), *re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", text)}
    assert "Control audio via OBS" in named
    for one in sorted(named - elsewhere):
        assert one.replace("'", "’") in page, one
