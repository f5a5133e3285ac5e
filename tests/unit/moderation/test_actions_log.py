"""What moderators did, in words."""

from __future__ import annotations

import pytest

from mediaserver.moderation.actions_log import LoggedAction


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        (("alice", "timeout", "bob", "10 min"), "alice timed out bob: 10 min"),
        (("alice", "clear", None, ""), "alice cleared the chat"),
        ((None, "ban", "bob", ""), "A deleted account banned bob"),
        (("alice", "something-new", None, ""), "alice something-new"),
    ],
)
def test_an_entry_is_a_sentence(
    entry: tuple[str | None, str, str | None, str], sentence: str
) -> None:
    assert LoggedAction("act_1", 0, *entry).sentence == sentence
