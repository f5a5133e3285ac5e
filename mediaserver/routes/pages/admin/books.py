"""The books, to read: how the site stands, accounts, entries, the journal as a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from aiohttp import web

from mediaserver.accounts.permissions import Action
from mediaserver.accounts.users import User
from mediaserver.admin.audit_log import day_ms
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Invalid, NotFound
from mediaserver.money.books import LABELS, Entries, Named, Wanted
from mediaserver.money.corrections import REVERSIBLE
from mediaserver.money.currencies import money
from mediaserver.money.ledger import Account, Balance, Entry, Kind
from mediaserver.money.standing import Standing
from mediaserver.routes.forms import FormError
from mediaserver.routes.journal import journal_response
from mediaserver.routes.keys import BOOKS, CONFIG, NIGHTLY_CHECK
from mediaserver.routes.pages.admin.frame import acting_admin, admin, admin_page, confirmed_admin

PAGE = "/admin/books"
ACCOUNTS = f"{PAGE}/accounts"
ENTRIES = f"{PAGE}/entries"

_FIELDS = ("kind", "owner", "account", "q", "from", "until")
_OWED = (
    Kind.WALLET,
    Kind.EARNINGS_PENDING,
    Kind.EARNINGS_AVAILABLE,
    Kind.PAYOUT_HOLD,
    Kind.REFUND_HOLD,
    Kind.UNCLAIMED,
)
_ACCOUNT_KINDS = [(kind.label, LABELS[kind]) for kind in Kind]


async def reader(request: web.Request) -> User:
    """Who reads the books, if they may. Raises `NotFound` on a site without money."""
    if not request.app[CONFIG].money.enabled:
        raise NotFound("There is no such page.")
    return await admin(request, Action.READ_BOOKS)


async def books_page(
    request: web.Request,
    name: str,
    context: Mapping[str, Any],
    *,
    form: Mapping[str, str] | None = None,
    error: FormError | None = None,
) -> web.Response:
    """Render one of the pages of the books."""
    more = {
        "tab": name,
        "money": money,
        "is_test_money": not request.app[CONFIG].money.production,
        **context,
    }
    template = "books" if name == "overview" else f"books_{name}"
    shown = None if error is None else _of_form(error)
    return await admin_page(request, "books", more, template=template, form=form, error=shown)


def _of_form(error: FormError) -> FormError:
    """What is wrong with `amount_minor` is wrong with the form's field `amount`."""
    if isinstance(error, Invalid) and error.field is not None:
        return Invalid(error.message, field=error.field.removesuffix("_minor"))
    return error


async def show_overview(request: web.Request) -> web.Response:
    await reader(request)
    standings, checked = await request.app[BOOKS].overview()
    context = {"sites": [_shown(one) for one in standings], "checked": checked}
    return await books_page(request, "overview", context)


async def check_books(request: web.Request) -> web.Response:
    await reader(request)
    actor = await acting_admin(request, Action.READ_BOOKS)
    await request.app[NIGHTLY_CHECK].run_asked(actor)
    return await show_overview(request)


async def show_accounts(request: web.Request) -> web.Response:
    await reader(request)
    form = {name: request.query.get(name, "").strip()[:100] for name in ("kind", "owner")}
    after = request.query.get("after")
    found = await request.app[BOOKS].accounts(kind=form["kind"], owner=form["owner"], after=after)
    asked = {name: value for name, value in form.items() if value}
    is_full = len(found.accounts) == limits.BOOKS_LISTED_MAX
    following = urlencode(asked | {"after": found.accounts[-1].account.id}) if is_full else ""
    context = {
        "accounts": [_shown_account(found, one) for one in found.accounts],
        "kinds": _ACCOUNT_KINDS,
        "is_filtered": bool(asked),
        "is_first": after is None,
        "first": f"{ACCOUNTS}?{urlencode(asked)}",
        "next": following and f"{ACCOUNTS}?{following}",
    }
    return await books_page(request, "accounts", context, form=form)


async def show_entries(request: web.Request) -> web.Response:
    await reader(request)
    filters = _filters(request)
    after = request.query.get("after")
    books = request.app[BOOKS]
    error: FormError | None = None
    found = Entries({}, [], {})
    try:
        found = await books.entries(_wanted(filters), after=after)
    except Invalid as wrong:
        error = wrong
    account = None
    if filters["account"]:
        whole = await books.account(filters["account"])
        account = _shown_account(whole, whole.accounts[0])
    asked = {name: value for name, value in filters.items() if value}
    is_full = len(found.entries) == limits.BOOKS_LISTED_MAX
    following = urlencode(asked | {"after": found.entries[-1].id}) if is_full else ""
    context = {
        "entries": [_shown_entry(found, one) for one in found.entries],
        "account": account,
        "kinds": [("", "Every kind"), *((kind, kind) for kind in await books.kinds())],
        "is_filtered": bool(asked),
        "is_first": after is None,
        "first": f"{ENTRIES}?{urlencode(asked)}",
        "next": following and f"{ENTRIES}?{following}",
        "query": urlencode(asked),
    }
    return await books_page(request, "entries", context, form=filters, error=error)


async def show_entry(request: web.Request) -> web.Response:
    return await entry_page(request, request.match_info["id"])


async def entry_page(
    request: web.Request,
    entry_id: str,
    *,
    form: Mapping[str, str] | None = None,
    error: FormError | None = None,
) -> web.Response:
    """One entry with its transfers; `form` is the one to reverse it."""
    await reader(request)
    found = await request.app[BOOKS].entry(entry_id)
    entry = found.entries[0]
    context = {
        "entry": _shown_entry(found, entry),
        "may_reverse": entry.kind in REVERSIBLE and entry.id not in found.reversed_by,
    }
    return await books_page(request, "entry", context, form=form, error=error)


async def download_journal(request: web.Request) -> web.StreamResponse:
    await reader(request)
    actor = await confirmed_admin(request, Action.READ_BOOKS, ENTRIES)
    wanted = _wanted(_filters(request))
    return await journal_response(request, request.app[BOOKS].export(actor, wanted))


def _filters(request: web.Request) -> dict[str, str]:
    most = limits.BOOKS_SEARCH_CHARS_MAX
    return {name: request.query.get(name, "").strip()[:most] for name in _FIELDS}


def _wanted(filters: dict[str, str]) -> Wanted:
    """Raises `Invalid` for a day that isn't one."""
    return Wanted(
        filters["kind"],
        filters["owner"],
        filters["account"],
        filters["q"],
        day_ms(filters["from"], "from"),
        day_ms(filters["until"], "until", is_end=True),
    )


def _shown(site: Standing) -> dict[str, Any]:
    def rows(*kinds: Kind) -> list[tuple[str, str, int]]:
        return [(kind.label, LABELS[kind], site.of(kind)) for kind in kinds]

    return {
        "currency": site.currency,
        "is_solvent": site.is_solvent,
        "owed_minor": site.owed_minor,
        "there_minor": site.there_minor,
        "own_minor": site.own_minor,
        "owed": rows(*_OWED),
        "gateways": list(site.by_gateway.items()),
        "bank_minor": site.of(Kind.BANK),
        "own": [
            *rows(Kind.COMMISSION, Kind.OWNERS_SHARE),
            *((label, name, -held) for label, name, held in rows(Kind.GATEWAY_FEES, Kind.LOSSES)),
        ],
        "direct_minor": site.of(Kind.DIRECT_RECEIVED),
    }


def _shown_account(found: Named, one: Balance) -> dict[str, Any]:
    account = one.account
    return {
        "id": account.id,
        "label": LABELS[account.kind],
        "owner": found.name(account.owner),
        "user": found.names.get(account.owner, ""),
        "currency": account.currency,
        "amount_minor": one.amount_minor,
        "frozen_for": one.frozen_for,
        "href": account_path(account),
    }


def _shown_entry(found: Entries, entry: Entry) -> dict[str, Any]:
    actor = entry.actor_id
    return {
        **{name: getattr(entry, name) for name in Entry.__slots__ if name != "transfers"},
        "actor": found.names.get(actor, "") if actor is not None else "",
        "total_minor": sum(one.amount_minor for one in entry.transfers),
        "currency": entry.transfers[0].debit.currency if entry.transfers else "",
        "reversed_by": found.reversed_by.get(entry.id, ""),
        "transfers": [
            {
                "debit": found.label(one.debit),
                "debit_href": account_path(one.debit),
                "credit": found.label(one.credit),
                "credit_href": account_path(one.credit),
                "amount": money(one.amount_minor, one.debit.currency),
            }
            for one in entry.transfers
        ],
    }


def account_path(account: Account) -> str:
    """The entries of an account."""
    return f"{ENTRIES}?account={quote(account.id)}"


routes = [
    web.get(PAGE, show_overview),
    web.post(f"{PAGE}/check", check_books),
    web.get(ACCOUNTS, show_accounts),
    web.get(ENTRIES, show_entries),
    web.get(ENTRIES + "/{id}", show_entry),
    web.get(f"{PAGE}/journal.csv", download_journal),
]
