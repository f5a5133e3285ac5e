"""Typed in-process events: features talk upwards by publishing what has happened.

An event is a frozen dataclass named in the past tense. Inside a database transaction use
`tx.emit(event)`: it is delivered only after the commit. Handlers are plain functions that return at
once; one that has to wait starts a task of its own. What must never be lost is written by a handler
that takes part in the transaction (`join`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

import structlog

_log = structlog.get_logger(__name__)

E = TypeVar("E")


class Events:
    """Delivers each published event to the handlers of its exact type, in order of subscription."""

    def __init__(self) -> None:
        self._handlers: defaultdict[type[Any], list[Callable[[Any], None]]] = defaultdict(list)
        self._joined: defaultdict[type[Any], list[Callable[[Any, Any], None]]] = defaultdict(list)

    def subscribe(self, event_type: type[E], handler: Callable[[E], None]) -> None:
        self._handlers[event_type].append(handler)

    def join(self, event_type: type[E], handler: Callable[[Any, E], None]) -> None:
        """Have `handler(tx, event)` run inside the transaction that emits the event, at its end."""
        self._joined[event_type].append(handler)

    def joined(self, event: object) -> list[Callable[[Any, Any], None]]:
        """For kernel/db: who takes part in a transaction that emits `event`."""
        return self._joined.get(type(event), [])

    def publish(self, event: object) -> None:
        """Deliver now. A handler that raises is logged and keeps no other from its turn."""
        for handler in self._handlers[type(event)]:
            try:
                handler(event)
            except Exception:
                _log.exception("event handler crashed", event_type=type(event).__name__)
