"""Alerts: how a contribution is put before people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mediaserver.channels.channels import Channel
from mediaserver.kernel.db import Transaction

if TYPE_CHECKING:
    from mediaserver.money.contributions import Contribution


def present(tx: Transaction, found: Channel, paid: Contribution, now_ms: int) -> None:
    """Show what was just paid, or hold it until somebody approves."""
