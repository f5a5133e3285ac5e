"""The sandbox's buttons: what its payers and its support would do, with what its servers then tell.

Called by the pay page. The notifications take the same way as those that come over HTTP, signature
and all; only the wire between is spared.
"""

from __future__ import annotations

from contextlib import suppress

from mediaserver.kernel.errors import NotFound
from mediaserver.money.gateways.sandbox_provider import (
    Button,
    SandboxPayment,
    SandboxProvider,
)
from mediaserver.money.hook_inbox import HookInbox

NAME = "sandbox"


class Sandbox:
    """Presses buttons."""

    def __init__(self, provider: SandboxProvider, inbox: HookInbox) -> None:
        self._provider = provider
        self._inbox = inbox

    async def get(self, sandbox_id: str) -> SandboxPayment:
        """Raises `NotFound`."""
        return await self._provider.get(sandbox_id)

    async def press(self, sandbox_id: str, button: Button) -> SandboxPayment:
        """Raises `NotFound`, or `Conflict` when that can't happen to the payment any more."""
        pressed = await self._provider.press(sandbox_id, button)
        notification = self._provider.notification(pressed)
        for _ in range(pressed.tells):
            with suppress(NotFound):  # production was turned on meanwhile: nobody listens
                await self._inbox.receive(NAME, notification)
        return pressed.paid
