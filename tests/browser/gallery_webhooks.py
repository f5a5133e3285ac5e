"""Made-up data for the pages of webhooks and notices; see gallery.py."""

from __future__ import annotations

from typing import Any

from mediaserver.webhooks.envelopes import choices

WEBHOOK_PAGES = {
    "studio-webhooks": (
        "/studio/mira/webhooks",
        "studio/webhooks.html",
        ["some", "none", "full", "errors"],
    ),
    "studio-webhook": (
        "/studio/mira/webhooks/whk_1",
        "studio/webhook.html",
        ["on", "new", "failing", "off", "quiet", "errors"],
    ),
    "notices": ("/notices", "notices.html", ["some", "none", "more"]),
}

_PATH = "/studio/mira/webhooks"
_URL = "https://lights.example.org/hooks/mira/of/the/harbour/with/a/rather/long/path"
_MINUTE_MS = 60_000
_DAY_MS = 86_400_000


def webhooks_page(case: str, now_ms: int) -> dict[str, Any]:
    """The list, and the form for a new one."""
    count = {"none": 0, "full": 10}.get(case, 3)
    standings = [{}, {"failing_since_ms": now_ms - _DAY_MS}, {"is_on": False}]
    return {
        "path_of_webhooks": _PATH,
        "webhooks": [_webhook(now_ms) | standings[index % 3] for index in range(count)],
        "webhooks_max": 10,
        "events": _events(),
        **_given(case),
    }


def webhook_page(case: str, now_ms: int) -> dict[str, Any]:
    """One webhook with its log."""
    standing = {
        "failing": {"failing_since_ms": now_ms - _DAY_MS},
        "off": {"is_on": False, "off_reason": "failing"},
    }.get(case, {})
    given = _given(case)
    return {
        "path_of_webhooks": _PATH,
        "webhook": _webhook(now_ms) | standing,
        "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" if case == "new" else None,
        "events": _events(),
        "deliveries": [] if case in ("new", "quiet") else _deliveries(now_ms),
        "is_first_page": case != "quiet",
        "next_page": "dlv_3" if case == "on" else None,
        **given,
        "form": given["form"] or {"url": _URL},
    }


def notices_page(case: str, now_ms: int) -> dict[str, Any]:
    title, body = "A webhook was turned off", f"{_URL} is told nothing any more."
    items = [
        {
            "id": f"ntc_{index}",
            "title": title,
            "body": body,
            "path": f"{_PATH}/whk_1",
            "created_at_ms": now_ms - index * _DAY_MS,
            "is_read": index > 0,
        }
        for index in range(4)
    ]
    return {
        "items": [] if case == "none" else items,
        "is_first_page": case != "more",
        "next_page": "ntc_3" if case == "more" else None,
        "others_wait": case == "more",
        "unread": 100 if case == "more" else 2,
        "user": {"username": "joan", "is_admin": False},
    }


def _given(case: str) -> dict[str, Any]:
    """What was typed, and what is wrong with it."""
    if case != "errors":
        return {"form": {}, "errors": {}}
    return {
        "form": {"url": "https://192.168.1.20/"},
        "errors": {
            "url": "That address leads into a private network.",
            "events": "Choose at least one event.",
        },
    }


def _webhook(now_ms: int) -> dict[str, Any]:
    return {
        "id": "whk_1",
        "url": _URL,
        "labels": ["Stream starts", "Stream ends", "New follower"],
        "is_on": True,
        "off_reason": None,
        "failing_since_ms": None,
        "created_at_ms": now_ms - 11 * _DAY_MS,
    }


def _events() -> list[dict[str, Any]]:
    return [
        {
            "field": f"event.{event}",
            "label": kind.label,
            "explanation": kind.explanation,
            "name": str(event),
            "is_chosen": index < 2,
        }
        for index, (event, kind) in enumerate(choices(of_site=False).items())
    ]


def _deliveries(now_ms: int) -> list[dict[str, Any]]:
    body = (
        '{"id":"evt_1","type":"channel.follow","channel":{"slug":"mira"},"data":{"followers":42}}'
    )
    one = {
        "id": "dlv_1",
        "label": "New follower",
        "event": "channel.follow",
        "event_id": "evt_0123456789abcdefghjk",
        "state": "taken",
        "attempts": 1,
        "status": 200,
        "error": None,
        "answer": "ok",
        "body": body,
        "next_at_ms": None,
        "created_at_ms": now_ms - 3 * _MINUTE_MS,
    }
    failed = {
        "state": "failed",
        "attempts": 9,
        "status": 500,
        "error": "The other site answered with status 500.",
        "answer": "<html>Traceback …</html>",
    }
    waiting = {"state": "waiting", "attempts": 0, "status": None, "answer": None}
    again = {"state": "waiting", "attempts": 2, "next_at_ms": now_ms + _MINUTE_MS}
    return [one | waiting, one | failed | again, one, one | failed]
