"""Goals and boards of tippers, told to viewers and overlays as money comes in.

They are counted anew for those who look: some times a second at most, however much comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog

from mediaserver.kernel import limits
from mediaserver.kernel.errors import MediaserverError
from mediaserver.money.alert_desk import AlertDesk
from mediaserver.realtime import messages
from mediaserver.realtime.broadcast import Broadcast
from mediaserver.realtime.namespace import Namespace, encode

_log = structlog.get_logger(__name__)


class SupportTeller:
    """`changed` never waits; `run` is a task."""

    def __init__(
        self, namespaces: Mapping[str, Namespace], broadcast: Broadcast, alerts: AlertDesk
    ) -> None:
        self._namespaces = namespaces
        self._broadcast = broadcast
        self._alerts = alerts

        self._waiting: dict[str, str] = {}  # channels by id, with their slugs
        self._wake = asyncio.Event()

    def changed(self, channel_id: str, slug: str) -> None:
        """Have everybody told who looks at the channel."""
        self._waiting[channel_id] = slug
        self._wake.set()

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            waiting, self._waiting = self._waiting, {}
            for channel_id, slug in waiting.items():
                try:
                    await self._tell(channel_id, slug)
                except MediaserverError as error:
                    _log.warning("support isn't told", reason=error.message)
                except Exception:
                    _log.exception("support isn't told")
            await asyncio.sleep(limits.SUPPORT_INTERVAL_S)

    async def _tell(self, channel_id: str, slug: str) -> None:
        told = (messages.SUPPORT, messages.OVERLAY_SUPPORT)
        if not any(channel_id in self._namespaces[one.namespace].rooms for one in told):
            return
        support = await self._alerts.support(channel_id)
        for one, shown in zip(told, (support.for_viewers(), support.for_overlay()), strict=True):
            rooms = self._namespaces[one.namespace].rooms
            payload = {"channel": slug, "support": shown}
            self._broadcast.send(rooms, channel_id, encode(one, payload))
