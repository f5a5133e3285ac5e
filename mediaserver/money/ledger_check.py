"""Whether the books are right: every rule that must always hold, computed anew from what is booked.

`check` looks at everything in one transaction: tests, backups and `mediaserver doctor` call it.
The running site (nightly_check.py) takes a `Check` one step at a time, so that a long ledger holds
nothing up. Nothing is ever mended here: what is wrong has to be seen by somebody.
"""

from __future__ import annotations

from collections.abc import Sequence

from mediaserver.kernel import limits
from mediaserver.kernel.db import Transaction
from mediaserver.money import document_rules, ledger_rules
from mediaserver.money.ledger_rules import Finding, Rule

RULES: tuple[Rule, ...] = (
    ledger_rules.sums,
    ledger_rules.accounts,
    ledger_rules.entries,
    ledger_rules.solvency,
    document_rules.entries,
    document_rules.paid_payments,
    document_rules.paid_contributions,
    document_rules.pending_earnings,
    document_rules.holds,
    document_rules.refund_holds,
)


class Check:
    """Looks at everything, one piece after the other. `findings` isn't longer than what somebody
    reads.
    """

    def __init__(self, more: Sequence[Rule] = ()) -> None:
        """`more`: rules of features that stand above money."""
        self.findings: list[Finding] = []
        self.accounts = 0
        self.entries = 0
        self._todo: list[Rule] = [*RULES, *more]
        self._after = ""

    def step(self, tx: Transaction) -> bool:
        """Look at the next piece; whether that was the last one."""
        if not self._todo:
            return True
        rule = self._todo[0]
        piece = rule(tx, self._after)
        room = limits.LEDGER_FINDINGS_MAX - len(self.findings)
        self.findings += piece.findings[:room]
        if rule is ledger_rules.accounts:
            self.accounts += piece.rows
        if rule is ledger_rules.entries:
            self.entries += piece.rows
        if piece.last is None:
            self._todo.pop(0)
        self._after = piece.last or ""
        return not self._todo


def check(tx: Transaction, more: Sequence[Rule] = ()) -> list[Finding]:
    """Everything that is wrong, in one go; nothing for a ledger that is right."""
    whole = Check(more)
    while not whole.step(tx):
        pass
    return whole.findings
