"""From an action as it is sent to the action of the chat."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mediaserver.chat import actions
from mediaserver.realtime import asked

_SAME: dict[type[asked.Asked], Callable[..., actions.Action]] = {
    asked.Remove: actions.Remove,
    asked.TimeOut: actions.TimeOut,
    asked.Untimeout: actions.Untimeout,
    asked.Ban: actions.Ban,
    asked.Unban: actions.Unban,
    asked.Clear: actions.Clear,
    asked.Pin: actions.Pin,
    asked.Unpin: actions.Unpin,
    asked.Announce: actions.Announce,
    asked.AddModerator: actions.AddModerator,
    asked.RemoveModerator: actions.RemoveModerator,
    asked.AddWord: actions.AddWord,
    asked.RemoveWord: actions.RemoveWord,
}
"""Those whose fields have the same names."""


def action_of(action: Any) -> actions.Action:
    if isinstance(action, asked.SetRules):
        given = action.model_fields_set - {"type"}
        return actions.SetRules({name: getattr(action, name) for name in given})
    return _SAME[type(action)](**action.model_dump(exclude={"type"}))
