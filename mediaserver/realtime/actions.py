"""From an action as it is sent to the action of the chat."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mediaserver.chat import actions
from mediaserver.realtime import messages
from mediaserver.realtime.messages import Asked

_SAME: dict[type[Asked], Callable[..., actions.Action]] = {
    messages.Remove: actions.Remove,
    messages.TimeOut: actions.TimeOut,
    messages.Untimeout: actions.Untimeout,
    messages.Ban: actions.Ban,
    messages.Unban: actions.Unban,
    messages.Clear: actions.Clear,
    messages.Pin: actions.Pin,
    messages.Unpin: actions.Unpin,
    messages.Announce: actions.Announce,
    messages.AddModerator: actions.AddModerator,
    messages.RemoveModerator: actions.RemoveModerator,
    messages.AddWord: actions.AddWord,
    messages.RemoveWord: actions.RemoveWord,
}
"""Those whose fields have the same names."""


def action_of(asked: Any) -> actions.Action:
    if isinstance(asked, messages.SetRules):
        given = asked.model_fields_set - {"type"}
        return actions.SetRules({name: getattr(asked, name) for name in given})
    return _SAME[type(asked)](**asked.model_dump(exclude={"type"}))
