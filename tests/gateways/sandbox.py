"""The sandbox's own provider, asked in the words of the other simulated ones."""

from __future__ import annotations

from mediaserver.money.gateways.gateway import Notification
from mediaserver.money.gateways.sandbox_provider import SIGNATURE, Pressed, SandboxProvider


class SandboxSimulator:
    """`pressed`: what came of the last button."""

    def __init__(self, provider: SandboxProvider) -> None:
        self.provider = provider
        self.pressed: Pressed | None = None

    def notification(self, payment_id: str) -> Notification:
        assert self.pressed is not None
        assert self.pressed.paid.payment_id == payment_id
        return self.provider.notification(self.pressed)

    def forged(self, payment_id: str) -> Notification:
        return Notification({SIGNATURE: "0" * 64}, {}, self.notification(payment_id).body)

    def changed(self, payment_id: str) -> Notification:
        told = self.notification(payment_id)
        return Notification(told.headers, {}, told.body.replace(b"failed", b"paid"))
