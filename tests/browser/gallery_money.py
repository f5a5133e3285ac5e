"""Made-up data for the pages where money is given and shown; see gallery.py."""

from __future__ import annotations

from typing import Any

from mediaserver.money.alert_looks import Look
from mediaserver.money.tippers import Board

# name → (path, template, cases)
MONEY_PAGES = {
    "wallet": ("/wallet", "money/wallet.html", ["some", "none", "frozen", "draft", "errors"]),
    "statement": ("/wallet/statement/2026-11", "money/statement.html", ["some", "none"]),
    "receipt": ("/receipts/ctb_1", "money/receipt.html", ["giver", "streamer", "back", "transfer"]),
    "tip": ("/@mira/tip", "money/tip.html", ["plain", "refused", "frozen", "errors"]),
    "donate": ("/@mira/donate", "money/donate.html", ["guest", "member", "closed", "errors"]),
    "studio-alerts": (
        "/studio/mira/alerts",
        "studio/alerts.html",
        ["some", "none", "moderator", "errors", "look"],
    ),
    "studio-supporters": (
        "/studio/mira/supporters",
        "studio/supporters.html",
        ["some", "none", "new", "filtered", "errors"],
    ),
    "studio-giving": ("/studio/mira/giving", "studio/giving.html", ["plain", "new", "errors"]),
}

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_LONG = "Thank you for every evening by the harbour. " * 5
_CHANNEL = {"slug": "mira", "name": "Mira Paints", "is_verified": True}
_WRONG_AMOUNT = {"amount": "Write an amount such as 5 or 12.50."}
_CHOICES = [("1.00", "$1.00"), ("2.00", "$2.00"), ("5.00", "$5.00"), ("10.00", "$10.00")]
_WAYS = [
    {"name": "stripe", "label": "Card", "hint": ""},
    {"name": "sandbox", "label": "Sandbox", "hint": "Test money: nobody pays anything"},
]
_DOLLAR = {"code": "USD", "symbol": "$"}


def money_context(template: str, case: str, now_ms: int) -> dict[str, Any]:
    """The made-up context of one case of one page of viewers; a long balance is in the header."""
    header = {"user": {"username": "joan", "is_admin": False}, "balance": "Rp12,500,000.00"}
    make = {
        "money/wallet.html": _wallet,
        "money/statement.html": _statement,
        "money/receipt.html": _receipt,
        "money/tip.html": _tip,
        "money/donate.html": _donate,
    }[template]
    return {"is_test": True, "symbol": "$", **header, **make(case, now_ms)}


def _wallet(case: str, now_ms: int) -> dict[str, Any]:
    wrong = case == "errors"
    return {
        "held": {
            "balance": "$1,250.00",
            "frozen_for": "A payment is disputed." if case == "frozen" else None,
        },
        "draft": {"url": "/@mira/tip?amount=5", "slug": "mira"} if case == "draft" else None,
        "ways": [] if case == "none" else _WAYS,
        "choices": [*_CHOICES, ("100.00", "$100.00")],
        "bounds": "$5.00 to $500.00.",
        "form": {"choice": "5.00", "amount": "x" if wrong else "", "gateway": "", "key": "k"},
        "movements": [] if case == "none" else _movements(now_ms),
        "kinds": [("topup", "Money added"), ("tip", "Tips")],
        "channels": [("mira", "Mira Paints")],
        "given": dict.fromkeys(("kind", "channel", "from", "to"), ""),
        "errors": _WRONG_AMOUNT if wrong else {},
        "is_filtered": False,
        "csv_url": "/wallet/history.csv",
        "is_first_page": True,
        "older_url": "/wallet?after=ctb_1#history" if case == "some" else None,
        "month": "2026-11",
    }


def _movements(now_ms: int) -> list[dict[str, Any]]:
    plain = {
        "kind": "tip",
        "title": "Tip to Mira Paints",
        "path": "/receipts/ctb_1",
        "state": "paid",
        "state_label": "Paid",
        "taken_back": "",
        "message": "",
        "detail": "",
        "amount": "-$5.00",
        "is_in": False,
        "is_settled": True,
        "at_ms": now_ms - _HOUR_MS,
    }
    added = {"kind": "topup", "title": "Money added", "amount": "+$1,300.00", "is_in": True}
    waits = {"state": "review", "state_label": "Being checked", "is_settled": False}
    return [
        plain | {"message": _LONG, "detail": "anonymous"},
        plain | {"kind": "donation", "title": "Donation to Kofi Plays Chess", "amount": "$12.50"},
        plain | {"taken_back": "$5.00"},
        plain | added,
        plain | added | waits,
        plain | {"kind": "other", "title": "Correction", "path": "", "state": "booked"},
    ]


def _statement(case: str, now_ms: int) -> dict[str, Any]:
    line = {"id": "ent_1", "title": "Tip", "about": "Mira Paints", "balance": "$1,250.00"}
    lines = [line | {"at_ms": now_ms - n * _DAY_MS, "amount": "-$5.00"} for n in range(12)]
    return {
        "month": "2026-11",
        "holder": "joan",
        "is_over": case == "none",
        "earlier": "2026-10",
        "later": "2026-12" if case == "none" else None,
        "opening": "$1,310.00",
        "closing": "$1,250.00",
        "lines": [] if case == "none" else lines,
        "others": 0 if case == "none" else 1,
        "others_amount": "-$5.00",
        "currency": "USD",
    }


def _receipt(case: str, now_ms: int) -> dict[str, Any]:
    is_givers = case != "streamer"
    back = {"amount": "$2.00", "fee_left": "$2.31", "net_left": "$8.19"}
    return {
        "given": {
            "id": "ctb_7k2m9d0q4x8w1v5t3r6z",
            "kind": "transfer" if case == "transfer" else "tip",
            "state_label": "Paid",
            "channel_name": "Mira Paints",
            "message": _LONG,
            "is_anonymous": True,
            "at_ms": now_ms - _DAY_MS,
            "amount": "$12.50",
            "fee": "$2.75",
            "net": "$9.75",
            "rate": "22 %",
            "payment_id": None,
        },
        "taken_back": back if case == "back" else None,
        "giver": "joan" if is_givers else "Somebody",
        "is_givers": is_givers,
        "channel_slug": "mira",
    }


def _tip(case: str, now_ms: int) -> dict[str, Any]:
    wrong = case == "errors"
    refusal = {"code": "not_verified", "message": "This streamer isn't verified yet."}
    short = {"": "There is not enough money in your wallet.", "message": "Use at most 250."}
    return {
        "channel": _CHANNEL,
        "refusal": refusal if case == "refused" else None,
        "frozen_for": "A payment is disputed." if case == "frozen" else None,
        "wallet_balance": "$1,250.00",
        "balance_plain": "1250.00",
        "choices": _CHOICES,
        "least": "$1.00",
        "exponent": 2,
        "rate": "22 %",
        "message_chars_max": 250,
        "takes_donations": True,
        "form": {"choice": "2.00", "amount": "", "message": "", "anonymous": "", "key": "k"},
        "errors": short | _WRONG_AMOUNT if wrong else {},
        "lacks": wrong,
        "add_url": "/wallet?next=%2F%40mira%2Ftip#add",
    }


def _donate(case: str, now_ms: int) -> dict[str, Any]:
    guest = {"user": None, "balance": None} if case == "guest" else {}
    return {
        "channel": _CHANNEL,
        "why_not": "They take no donations right now." if case == "closed" else "",
        "ways": _WAYS,
        "amounts": _CHOICES,
        "least": "$1.00",
        "most": "$500.00",
        "currency": _DOLLAR,
        "commission": "22 %",
        "message_chars_max": 250,
        "name_chars_max": 40,
        "key": "k",
        "form": {"choice": "5.00", "message": "", "name": "", "email": "", "gateway": ""}
        | {"anonymous": "", "amount": ""},
        "errors": _WRONG_AMOUNT | {"gateway": "Choose one."} if case == "errors" else {},
        **guest,
    }


def alerts_page(case: str, now_ms: int) -> dict[str, Any]:
    """Alerts in the studio."""
    goal = {"form": "goal", "given": {}, "errors": {"target_minor": "Write an amount."}}
    typed = {"template": "{nobody} gave", "duration_s": "8", "size_px": "40", "volume": "60"}
    look = {
        "form": "look",
        "given": typed | {"new": "1", "amount_minor_min": "5.00"},
        "errors": {"template": "There is no {nobody}."},
    }
    is_new = case == "none"
    states = ("waiting", "shown", "skipped", "denied", "none")
    looks = [Look(), Look("alk_1", 2_000, picture="heart", sound="fanfare")]
    return {
        "queue": [] if is_new else [_gift(now_ms, "held"), _gift(now_ms, "waiting")],
        "given": [] if is_new else [_gift(now_ms, one, f"old_{one}") for one in states],
        "next": "ctb_1" if case == "some" else None,
        "after": None,
        "overlays": {
            part: f"https://lantern.example/overlay/k3y0fth3ch4nn3l/{part}"
            for part in ("alerts", "goal", "top")
        },
        "currency": _DOLLAR,
        "rules": {"is_on": True, "approves_first": False, "amount_minor_min": "0.00", "gap_s": 1},
        "looks": [_look(one) for one in (looks[:1] if is_new else looks)],
        "looks_max": 5,
        "sample": {"amount": "$5.00", "goal": "$124.00 of $200.00"},
        "goal": None
        if is_new
        else {
            "title": "A new microphone",
            "target_minor": "200.00",
            "start_minor": "0.00",
            "ends_at_ms": "",
            "sentence": "$124.00 of $200.00",
            "is_over": False,
        },
        "board": Board(),
        "returned": {"errors": goal, "look": look}.get(case),
    }


def _look(look: Look) -> dict[str, Any]:
    amount = f"{look.amount_minor_min / 100:.2f}"
    seconds = look.duration_ms // 1000
    return look.as_json() | {"amount": amount, "from": f"${amount}", "duration_s": seconds}


def _gift(now_ms: int, alert: str, gift_id: str = "") -> dict[str, Any]:
    return {
        "id": gift_id or f"ctb_{alert}",
        "kind": "donation" if alert == "none" else "tip",
        "name": "Somebody" if alert == "shown" else "a_name_that_is_as_long_as_it_may_be_at_most",
        "message": "" if alert == "waiting" else _LONG,
        "amount": "$12.50",
        "alert": alert,
        "paid_at_ms": now_ms - _HOUR_MS,
        "taken_back": "$12.50" if alert == "denied" else None,
    }


def supporters_page(case: str, now_ms: int) -> dict[str, Any]:
    """Supporters in the studio."""
    has_gifts = case in ("some", "errors")
    words = {"form": "thanks", "given": {"message": "see example.org"}}
    gift = {
        "id": "ctb_1",
        "kind": "tip",
        "giver": "joan",
        "message": _LONG,
        "at_ms": now_ms - _DAY_MS,
        "amount": "$12.50",
        "net": "$9.75",
        "rate": "22 %",
        "state": "paid",
        "state_label": "Paid",
        "taken_back": "",
    }
    announced = {"kind": "transfer", "state": "declared", "state_label": "Announced"}
    who = {"name": "joan", "amount": "$12.50", "thanked_at_ms": None}
    return {
        "gifts": [gift, gift | announced, gift | {"taken_back": "$2.00"}] if has_gifts else [],
        "sums": {
            "gifts": 3 if has_gifts else 0,
            "gross": "$37.50",
            "fee": "$8.25",
            "net": "$29.25",
            "taken_back": "$2.00" if has_gifts else "",
            "direct": "$40.00" if has_gifts else "",
        },
        "kinds": [("tip", "Tips"), ("donation", "Donations")],
        "states": [("paid", "Paid"), ("declared", "Announced")],
        "given": dict.fromkeys(("kind", "state", "name", "least", "most", "from", "to"), ""),
        "filter_errors": {"least": "Write an amount."} if case == "errors" else {},
        "is_filtered": case == "filtered",
        "is_first_page": True,
        "older_url": "/studio/mira/supporters?after=ctb_1" if case == "some" else None,
        "csv_url": "/studio/mira/supporters.csv",
        "biggest": [
            who | {"period": "month", "label": "this month"},
            who | {"period": "all", "label": "of all time", "thanked_at_ms": now_ms - _DAY_MS},
        ]
        if has_gifts
        else [],
        "thanks_chars_max": 1000,
        "is_verified": case != "new",
        "is_test": True,
        "returned": words | {"errors": {"message": "Links don't go into this mail."}}
        if case == "errors"
        else None,
    }


def giving_page(case: str, now_ms: int) -> dict[str, Any]:
    """Tips & donations in the studio."""
    wrong = {"form": "giving", "given": {}, "errors": {"tip_minor_min": "Write an amount."}}
    return {
        "form": {
            "takes_tips": "1",
            "tip_minor_min": "1.00",
            "donation_minor_min": "1.00",
            "transfer_instructions": "Mira Haugen, Harbour Bank\nNO93 8601 1117 947",
        },
        "is_verified": case != "new",
        "has_wallets": True,
        "symbol": "$",
        "least_tip": "$1.00",
        "least_donation": "$1.00",
        "instructions_chars_max": 1000,
        "rate": "22 %",
        "is_test": True,
        "returned": wrong if case == "errors" else None,
    }
