"""What changed of the rules, in words."""

from __future__ import annotations

import pytest

from mediaserver.kernel.errors import Invalid
from mediaserver.moderation.rules import NO_RULES, Rules, changed, differences

STRICT = Rules(
    slow_s=10,
    followers_min=60,
    account_age_min=1440,
    emote_only=True,
    unique=True,
    links="moderators",
    lockdown=True,
)


def test_differences() -> None:
    assert differences(NO_RULES, STRICT) == (
        "slow mode 10 s, followers only (1 h), account age 1 day, emotes only on, "
        "unique messages on, links by moderators only, lockdown on"
    )
    assert differences(STRICT, NO_RULES) == (
        "slow mode off, followers only off, account age off, emotes only off, "
        "unique messages off, links by everybody, lockdown off"
    )
    assert differences(NO_RULES, Rules(followers_min=0)) == "followers only (all of them)"
    assert differences(STRICT, STRICT) == ""


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [("slow_s", 7200, "Use 1 h at most."), ("account_age_min", -1, "Use 365 days at most.")],
)
def test_a_length_out_of_bounds_is_told_in_words(name: str, value: int, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        changed(NO_RULES, {name: value})
