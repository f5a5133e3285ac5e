"""The journal of the books as CSV, as pages and the API give it out."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from mediaserver.money.books import Entries
from mediaserver.money.currencies import currency_of, plain
from mediaserver.routes.csv import csv_lines
from mediaserver.routes.moments import iso_moment

_COLUMNS = (
    *("at", "entry", "kind", "subject", "debit", "credit", "amount", "currency"),
    *("debit_name", "credit_name", "reason", "external_ref", "actor_id", "reverses", "key"),
)


async def journal_response(
    request: web.Request, batches: AsyncIterator[Entries]
) -> web.StreamResponse:
    """A download that is written batch by batch: the books may be larger than the memory."""
    response = web.StreamResponse(
        headers={
            "Content-Disposition": 'attachment; filename="journal.csv"',
            "Content-Type": "text/csv; charset=utf-8",
            "Cache-Control": "no-store",
        }
    )
    await response.prepare(request)
    await response.write(csv_lines([_COLUMNS]).encode())
    async for batch in batches:
        await response.write(_lines(batch).encode())
    await response.write_eof()
    return response


def _lines(batch: Entries) -> str:
    """One line for each transfer, as accountants keep a journal: debit, credit, amount."""
    return csv_lines(
        [
            *(iso_moment(entry.created_at_ms), entry.id, entry.kind, entry.subject),
            *(one.debit.id, one.credit.id),
            *(plain(one.amount_minor, currency_of(one.debit.currency)), one.debit.currency),
            *(batch.label(one.debit), batch.label(one.credit)),
            *(entry.reason, entry.external_ref, entry.actor_id, entry.reverses_id, entry.key),
        ]
        for entry in batch.entries
        for one in entry.transfers
    )
