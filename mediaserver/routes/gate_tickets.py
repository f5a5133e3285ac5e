"""Tickets of the gate before a stream: signed, so nothing has to be kept.

A ticket names the channel, what was answered and until when it counts. Made and read by gates.py
and live_gates.py.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from mediaserver.channels.channels import Channel
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.ids import same
from mediaserver.kernel.vault import Vault

_MAC_CHARS = 32

Kind = Literal["age", "not_general"]


class Tickets:
    """Makes and reads tickets; nobody else can make one."""

    def __init__(self, vault: Vault, clock: Clock) -> None:
        self._vault = vault
        self._clock = clock

    def issue(self, slug: str, kinds: Collection[Kind]) -> tuple[str, int]:
        """A ticket for who has answered `kinds`, and when it ends, in ms."""
        expires_s = self._clock.wall_ms() // 1000 + limits.GATE_MAX_AGE_S
        said = f"{'-'.join(kinds)}.{expires_s}"
        return f"{said}.{self._mac(slug, said)}", expires_s * 1000

    def answered(self, slug: str, ticket: str) -> Collection[str]:
        """What somebody with this ticket has answered; nothing for a wrong or an old one."""
        said, _, mac = ticket[: limits.GATE_TICKET_CHARS_MAX].rpartition(".")
        kinds, _, expires_s = said.partition(".")
        if not (mac.isascii() and same(mac, self._mac(slug, said))):
            return ()
        return kinds.split("-") if int(expires_s) * 1000 > self._clock.wall_ms() else ()

    def _mac(self, slug: str, said: str) -> str:
        return self._vault.mac(f"{slug} {said}", "gate")[:_MAC_CHARS]


def kinds_of(channel: Channel) -> list[Kind]:
    """What the channel asks, the most serious first."""
    kinds: list[Kind] = []
    if channel.age_restricted:
        kinds.append("age")
    if channel.not_general:
        kinds.append("not_general")
    return kinds
