"""What everybody may see of what a channel is given: its goal, and its biggest tippers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mediaserver.kernel import limits
from mediaserver.kernel.db import Transaction
from mediaserver.money import goals, tippers
from mediaserver.money.currencies import money
from mediaserver.money.goals import Goal
from mediaserver.money.tippers import Board, Tipper


@dataclass(frozen=True, slots=True)
class SupportChanged:
    """A channel's goal or board of tippers is set up in another way."""

    channel_id: str
    channel_slug: str


@dataclass(frozen=True, slots=True)
class Support:
    """`small` is this month's board on the channel's page, None where the streamer wants none;
    `large` is the overlay's, as `board` says.
    """

    goal: Goal | None
    small: list[Tipper] | None
    large: list[Tipper]
    board: Board
    currency: str

    def for_overlay(self) -> dict[str, Any]:
        """As overlays get it."""
        board = {"period": self.board.period, "tippers": self.rows(self.large)}
        return {**self.for_viewers(), "board": board}

    def for_viewers(self) -> dict[str, Any]:
        """As the channel's page and its chat get it: the overlay's board may show more than the
        streamer wants there.
        """
        return {
            "goal": None if self.goal is None else goal_json(self.goal),
            "tippers": None if self.small is None else self.rows(self.small),
            "board": None,
        }

    def rows(self, found: list[Tipper]) -> list[dict[str, Any]]:
        """Without amounts where the streamer keeps them to themselves."""
        return [
            {
                "name": one.name,
                "amount": money(one.amount_minor, self.currency)
                if self.board.shows_amounts
                else None,
            }
            for one in found
        ]


def support_of(tx: Transaction, channel_id: str, currency: str, now_ms: int) -> Support:
    board = tippers.board_of(tx, channel_id)
    small = None
    if board.is_public:
        small = tippers.top(tx, channel_id, "month", limits.TIPPERS_SMALL, now_ms)
    large = tippers.top(tx, channel_id, board.period, board.rows, now_ms)
    return Support(goals.find(tx, channel_id), small, large, board, currency)


def goal_json(goal: Goal) -> dict[str, Any]:
    return {
        "title": goal.title,
        "target_minor": goal.target_minor,
        "raised_minor": goal.raised_minor,
        "currency": goal.currency,
        "target": money(goal.target_minor, goal.currency),
        "raised": money(goal.raised_minor, goal.currency),
        "percent": goal.percent,
        "ends_at_ms": goal.ends_at_ms,
    }
