"""The books over the API, to read: how the site stands, accounts, entries, the journal."""

from __future__ import annotations

import dataclasses

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.permissions import Action, check
from mediaserver.accounts.personal_tokens import Scope
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Forbidden, Invalid, NotFound
from mediaserver.money.books import Entries, Wanted
from mediaserver.money.currencies import money
from mediaserver.money.ledger import Balance, Entry, Kind
from mediaserver.money.nightly_check import Outcome
from mediaserver.money.standing import Standing
from mediaserver.routes.api.operation import Answer, Operations, Query, acting, caller
from mediaserver.routes.journal import journal_response
from mediaserver.routes.keys import BOOKS, CONFIG, NIGHTLY_CHECK

api = Operations("Admin: books", Scope.ADMIN)

_READ = (Forbidden, NotFound)
_MOMENT_MAX = 10**15
_KINDS = ", ".join(kind.label for kind in Kind)


class AccountsQuery(Query):
    kind: str = Field("", max_length=30, description=f"One of: {_KINDS}.")
    owner: str = Field("", max_length=100, description="A user's name or id, a gateway, or site.")
    after: str | None = Field(None, max_length=100, description="The last `id` of the page before.")


class JournalQuery(Query):
    kind: str = Field("", max_length=60, description="Such as tip or topup.")
    owner: str = Field("", max_length=100, description="Whose accounts it moves something on.")
    account: str = Field(
        "", max_length=100, description="The id of an account.", examples=["bank:site:USD"]
    )
    search: str = Field(
        "",
        max_length=limits.BOOKS_SEARCH_CHARS_MAX,
        description="An entry's id or key, its subject, or its reference elsewhere; whole.",
    )
    from_ms: int | None = Field(None, ge=0, le=_MOMENT_MAX, description="From then on.")
    until_ms: int | None = Field(None, ge=0, le=_MOMENT_MAX, description="Before then.")

    @property
    def wanted(self) -> Wanted:
        return Wanted(self.kind, self.owner, self.account, self.search, self.from_ms, self.until_ms)


class EntriesQuery(JournalQuery):
    after: str | None = Field(None, max_length=100, description="The last `id` of the page before.")


class BookedAmountOut(Answer):
    """`amount_minor` in minor units of `currency`; `amount` for people."""

    amount_minor: int
    currency: str = Field(examples=["USD"])
    amount: str = Field(examples=["$12.50"])


class LedgerAccountOut(BookedAmountOut):
    """An account and what it holds. `owner`: a user's id, a gateway, or site."""

    id: str = Field(examples=["bank:site:USD"])
    kind: str = Field(examples=["bank"])
    owner: str = Field(examples=["site"])
    owner_name: str = Field(examples=["the site"])
    debits_minor: int
    credits_minor: int
    frozen_for: str | None = Field(examples=["A payment is disputed."])


class LedgerAccountList(Answer):
    """In the order of their ids."""

    accounts: list[LedgerAccountOut]


class BookedTransferOut(BookedAmountOut):
    """From the account `debit_id` to `credit_id`."""

    debit_id: str
    credit_id: str


class LedgerEntryOut(Answer):
    """One business event. `key` tells it from all others; `reversed_by`: what undid it."""

    id: str
    kind: str = Field(examples=["tip"])
    key: str
    subject: str
    external_ref: str = Field(examples=["PO-2026-0042"])
    reason: str
    actor_id: str | None
    reverses_id: str | None
    reversed_by: str | None = Field(examples=["ent_0123456789abcdefghjk"])
    created_at_ms: int
    transfers: list[BookedTransferOut]


class LedgerEntryList(Answer):
    """Newest first."""

    entries: list[LedgerEntryOut]


class BooksFindingOut(Answer):
    """A rule that is broken: by which account, entry or document, and how."""

    rule: str = Field(examples=["balance"])
    about: str
    text: str


class BooksCheckOut(Answer):
    """What a check of the books looked at and found."""

    began_at_ms: int
    ended_at_ms: int
    accounts: int
    entries: int
    is_right: bool
    findings: list[BooksFindingOut]


class BooksStandingOut(Answer):
    """One currency, in minor units. What is there is what is owed to others and the owner's."""

    currency: str = Field(examples=["USD"])
    there_minor: int
    owed_minor: int
    own_minor: int
    is_solvent: bool
    by_kind: dict[str, int]
    by_gateway: dict[str, int]


class BooksOut(Answer):
    """How the site stands. `checked` is null before the first check has ended."""

    standings: list[BooksStandingOut]
    checked: BooksCheckOut | None


@api.get("/admin/books", "Show how the site stands", answer=BooksOut, sign_in=True, errors=_READ)
async def show_books(request: web.Request) -> BooksOut:
    """What the site has, owes and earned, by currency, and the last check of the books."""
    check_reads(request)
    standings, checked = await request.app[BOOKS].overview()
    return BooksOut(
        standings=[_standing_out(one) for one in standings],
        checked=None if checked is None else _check_out(checked),
    )


@api.post("/admin/books/check", "Check the books", answer=BooksCheckOut, sign_in=True, errors=_READ)
async def check_books(request: web.Request) -> BooksCheckOut:
    """Computes everything anew from what was booked, and waits for it."""
    check_reads(request)
    actor = acting(request, Action.READ_BOOKS)
    return _check_out(await request.app[NIGHTLY_CHECK].run_asked(actor))


@api.get(
    "/admin/books/accounts",
    "List accounts",
    query=AccountsQuery,
    answer=LedgerAccountList,
    sign_in=True,
    errors=_READ,
)
async def list_accounts(request: web.Request, query: AccountsQuery) -> LedgerAccountList:
    """Those of users, gateways and the site."""
    check_reads(request)
    found = await request.app[BOOKS].accounts(kind=query.kind, owner=query.owner, after=query.after)
    return LedgerAccountList(
        accounts=[_account_out(one, found.name(one.account.owner)) for one in found.accounts]
    )


@api.get(
    "/admin/books/accounts/{id}",
    "Show an account",
    answer=LedgerAccountOut,
    sign_in=True,
    errors=_READ,
)
async def show_account(request: web.Request) -> LedgerAccountOut:
    """By its id: kind, owner and currency."""
    check_reads(request)
    found = await request.app[BOOKS].account(request.match_info["id"])
    return _account_out(found.accounts[0], found.name(found.accounts[0].account.owner))


@api.get(
    "/admin/books/entries",
    "List entries",
    query=EntriesQuery,
    answer=LedgerEntryList,
    sign_in=True,
    errors=(*_READ, Invalid),
)
async def list_entries(request: web.Request, query: EntriesQuery) -> LedgerEntryList:
    """Everything that was booked, with its transfers."""
    check_reads(request)
    found = await request.app[BOOKS].entries(query.wanted, after=query.after)
    return LedgerEntryList(entries=[_entry_out(found, one) for one in found.entries])


@api.get(
    "/admin/books/entries/{id}", "Show an entry", answer=LedgerEntryOut, sign_in=True, errors=_READ
)
async def show_entry(request: web.Request) -> LedgerEntryOut:
    """With its transfers, and what reversed it."""
    check_reads(request)
    found = await request.app[BOOKS].entry(request.match_info["id"])
    return _entry_out(found, found.entries[0])


@api.get(
    "/admin/books/journal.csv",
    "Download the journal",
    query=JournalQuery,
    answer_types=("text/csv",),
    sign_in=True,
    confirm=True,
    errors=(*_READ, Invalid),
)
async def download_journal(request: web.Request, query: JournalQuery) -> web.StreamResponse:
    """One line for each transfer of what is asked for, newest first: debit, credit, amount."""
    check_reads(request)
    actor = acting(request, Action.READ_BOOKS)
    return await journal_response(request, request.app[BOOKS].export(actor, query.wanted))


def check_reads(request: web.Request) -> None:
    """Raises `NotFound` on a site without money, and `Forbidden`."""
    if not request.app[CONFIG].money.enabled:
        raise NotFound("This site has no money.", code="money_off")
    check(caller(request), Action.READ_BOOKS)


def _standing_out(one: Standing) -> BooksStandingOut:
    return BooksStandingOut(
        currency=one.currency,
        there_minor=one.there_minor,
        owed_minor=one.owed_minor,
        own_minor=one.own_minor,
        is_solvent=one.is_solvent,
        by_kind={kind.label: held for kind, held in one.by_kind.items()},
        by_gateway=dict(one.by_gateway),
    )


def _check_out(one: Outcome) -> BooksCheckOut:
    return BooksCheckOut(
        began_at_ms=one.began_at_ms,
        ended_at_ms=one.ended_at_ms,
        accounts=one.accounts,
        entries=one.entries,
        is_right=not one.findings,
        findings=[BooksFindingOut(**dataclasses.asdict(finding)) for finding in one.findings],
    )


def _account_out(one: Balance, owner_name: str) -> LedgerAccountOut:
    account = one.account
    return LedgerAccountOut(
        amount_minor=one.amount_minor,
        currency=account.currency,
        amount=money(one.amount_minor, account.currency),
        id=account.id,
        kind=account.kind.label,
        owner=account.owner,
        owner_name=owner_name,
        debits_minor=one.debits,
        credits_minor=one.credits,
        frozen_for=one.frozen_for,
    )


def _entry_out(found: Entries, one: Entry) -> LedgerEntryOut:
    return LedgerEntryOut(
        id=one.id,
        kind=one.kind,
        key=one.key,
        subject=one.subject,
        external_ref=one.external_ref,
        reason=one.reason,
        actor_id=one.actor_id,
        reverses_id=one.reverses_id,
        reversed_by=found.reversed_by.get(one.id),
        created_at_ms=one.created_at_ms,
        transfers=[
            BookedTransferOut(
                amount_minor=moved.amount_minor,
                currency=moved.debit.currency,
                amount=money(moved.amount_minor, moved.debit.currency),
                debit_id=moved.debit.id,
                credit_id=moved.credit.id,
            )
            for moved in one.transfers
        ],
    )
