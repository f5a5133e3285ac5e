"""Made-up data for the pages of the studio; see gallery.py."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gallery_money import alerts_page, giving_page, supporters_page
from gallery_webhooks import webhook_page, webhooks_page

STUDIO_PAGES = {
    "studio": (
        "/studio",
        "studio/desk.html",
        ["welcome", "starting", "held", "live", "reconnecting", "nokeys", "errors"],
    ),
    "studio-chat": (
        "/studio/mira/chat",
        "studio/chat.html",
        ["busy", "new", "moderator", "errors"],
    ),
    "studio-health": ("/studio/mira/health", "studio/health.html", ["live", "idle"]),
    "studio-schedule": (
        "/studio/mira/schedule",
        "studio/schedule.html",
        ["some", "none", "edit", "errors"],
    ),
    "studio-overlays": (
        "/studio/mira/overlays",
        "studio/overlays.html",
        ["some", "none", "new", "errors"],
    ),
    "studio-teams": ("/studio/mira/teams", "studio/teams.html", ["some", "none", "errors"]),
    "studio-connect": ("/studio/mira/connect", "studio/connect.html", ["keys", "new", "nokeys"]),
    "studio-settings": (
        "/studio/mira/settings",
        "studio/settings.html",
        ["plain", "picture", "errors"],
    ),
    "studio-new": ("/studio/new", "studio/new.html", ["first", "another", "errors"]),
}

_MONEY = {"alerts": alerts_page, "supporters": supporters_page, "giving": giving_page}
MINUTE_MS = 60_000
DAY_MS = 86_400_000
SECTIONS = [
    "desk",
    "chat",
    "health",
    "schedule",
    "teams",
    "overlays",
    "alerts",
    "supporters",
    "giving",
    "transfers",
    "earnings",
    "webhooks",
    "connect",
    "settings",
]
CATEGORIES = [("art", "Art"), ("cooking", "Cooking"), ("games", "Games"), ("music", "Music")]
KEY = "sk_7f3kq2mzx8w4hn5vb6ty"
ADVICE = (
    "Keyframes come every 8.3 s. Set the keyframe interval in OBS to 2 s: viewers start faster."
)


@dataclass(frozen=True, slots=True)
class MadeUp:
    """What the rest of the gallery knows."""

    now_ms: int
    channel: dict[str, Any]
    user: dict[str, Any]
    live_view: Callable[..., dict[str, Any]]
    room: dict[str, Any]


def studio_context(section: str, case: str, made_up: MadeUp) -> dict[str, Any]:
    """What the frame of every studio page is given, and what this one is."""
    if section == "new":
        wrong = {"slug": "That address is taken.", "accepted": "Read and accept “Rules” first."}
        return {
            "channels": [] if case == "first" else [made_up.channel],
            "policies": [] if case == "another" else policies(made_up.now_ms),
            "form": {},
            "errors": wrong if case == "errors" else {},
            "user": made_up.user,
        }
    channel = made_up.channel | {
        "starts_automatically": True,
        "back_soon": "bks_1" if case == "picture" else None,
    }
    is_helper = case == "moderator"
    frame: dict[str, Any] = {
        "channels": [channel, {"slug": "lab", "name": "The Lab", "path": "/studio/lab"}],
        "channel": channel,
        "section": section,
        "sections": ["chat", "health", "alerts"] if is_helper else SECTIONS,
        "is_owner": not is_helper,
        "on_air": case == "live",
        "returned": None,
        "user": made_up.user,
    }
    if section in ("webhooks", "webhook"):
        make = webhooks_page if section == "webhooks" else webhook_page
        return frame | {"section": "webhooks"} | make(case, made_up.now_ms)
    if section in _MONEY:
        return frame | _MONEY[section](case, made_up.now_ms)
    page = {
        "desk": _desk,
        "chat": _chat,
        "health": _health_page,
        "schedule": _schedule,
        "overlays": _overlays,
        "connect": _connect,
        "teams": _teams,
        "settings": _settings,
    }[section]
    return frame | page(case, made_up)


def policies(now_ms: int) -> list[dict[str, Any]]:
    """The rules of a made-up site, as the handlers hand them to the templates."""
    texts = {
        "streamers": ("Rules for streamers", "Stream only what is yours.\n\nAsk people first."),
        "content": ("Content policy", "Nothing unlawful.\n\nNo threats and no hatred."),
    }
    return [
        {
            "id": f"pol_{kind}",
            "kind": kind,
            "field": f"accept_{kind}",
            "version": 2,
            "title": title,
            "body": body,
            "published_at_ms": now_ms - 30 * DAY_MS,
        }
        for kind, (title, body) in texts.items()
    ]


def _teams(case: str, made_up: MadeUp) -> dict[str, Any]:
    owls = {"slug": "night-owls", "name": "Night Owls", "owner": "mira", "is_own": True}
    birds = {"slug": "early-birds", "name": "Early Birds", "owner": "ana", "is_own": False}
    given = {"name": "Admin", "slug": "admin"}
    wrong = returned("team", given, slug="That address is taken.") if case == "errors" else {}
    return {
        "joined": [owls, birds] if case == "some" else [],
        "led_elsewhere": [],
        "invitations": [
            {
                "slug": "small-hours",
                "name": "Small Hours",
                "owner": "kofi",
                "asked_at_ms": made_up.now_ms - DAY_MS,
            }
        ]
        if case == "some"
        else [],
        "name_chars_max": 60,
        "about_chars_max": 2000,
        **wrong,
    }


def returned(form: str, given: dict[str, str], **errors: str) -> dict[str, Any]:
    return {"returned": {"form": form, "given": given, "errors": errors}}


def health(now_ms: int, *, is_bad: bool = True) -> dict[str, Any]:
    """One measurement as the studio's socket sends it; `now_ms` bends the numbers a little."""
    wave = math.sin(now_ms / 90_000)
    return {
        "at_ms": now_ms,
        "state": "live",
        "bitrate_bps": int(4_512_000 + 380_000 * wave),
        "fps": 30.0 - 0.4 * abs(wave),
        "keyframe_interval_ms": 8_300 if is_bad else 2_000,
        "video_codec": "avc1.64001f",
        "audio_codec": "mp4a.40.2",
        "width": 1280,
        "height": 720,
        "dropped_frames": 0,
        "late_parts": 2,
        "viewers": int(1284 + 60 * wave),
        "viewers_instant": 300,
        "viewers_hls": int(984 + 60 * wave),
        "latency_p50_ms": int(420 + 60 * wave),
        "latency_p95_ms": int(1450 + 400 * wave),
        "stalls_per_hour": 0.4,
        "viewers_stalling_pct": 1.2 + wave,
        "uplink_bps": 90_000_000,
        "uplink_max_bps": 0,
        "verdict": "warn" if is_bad else "good",
        "advice": ADVICE if is_bad else None,
    }


def feed(now_ms: int, *, is_idle: bool) -> dict[str, Any]:
    """What `watch` answers: half an hour of measurements, a short break in it, and activity."""
    if is_idle:
        idle = health(now_ms) | {"state": "offline", "verdict": "idle", "advice": None}
        return {"health": idle, "history": [], "activity": []}
    history = [health(now_ms - back * 2_000) for back in range(900, 0, -1)]
    for one in history[300:330]:
        one |= {"verdict": "idle", "state": "reconnecting"}
    return {"health": health(now_ms), "history": history, "activity": activity(now_ms)}


def activity(now_ms: int) -> list[dict[str, Any]]:
    """What has happened, newest last."""
    told = [
        ("live", "You went live", None),
        ("follow", "kofi follows you", "kofi"),
        ("follow", "nordlys follows you", "nordlys"),
        ("moderation", "tern timed out spam_bot_77 for 10 minutes", "tern"),
        ("interrupted", "Your encoder dropped", None),
        ("resumed", "Your encoder is back", None),
        ("follow", "a_rather_long_name_for_somebody_who_watches follows you", "long"),
    ]
    return [
        {
            "id": f"act_{index}",
            "at_ms": now_ms - (len(told) - index) * 7 * MINUTE_MS,
            "kind": kind,
            "text": text,
            "username": username,
        }
        for index, (kind, text, username) in enumerate(told)
    ]


def _desk(case: str, made_up: MadeUp) -> dict[str, Any]:
    states = {"live", "starting", "reconnecting", "held"}
    live = made_up.live_view(case) if case in states else None
    is_new = case in {"welcome", "starting"}
    stream = {
        "title": made_up.channel["title"],
        "category": "art",
        "tags": "watercolour, boats, harbour",
        "brand_promotion": False,
        "recorded_content": False,
        "age_restricted": False,
        "not_general": False,
        "not_general_reason": "",
    }
    if case == "welcome":
        stream |= {"title": "", "category": "", "tags": ""}
    context: dict[str, Any] = {
        "stream": stream,
        "room": made_up.room,
        "mock_chat": "life" if case == "live" else "quiet",
        "categories": CATEGORIES,
        "server_url": "rtmp://live.example.org:1935/live",
        "keys": [] if case == "nokeys" else _keys(made_up)[1:] if is_new else _keys(made_up),
        "new_key": {"name": "Main", "key": KEY} if is_new else None,
        "live": live,
        "health": health(made_up.now_ms) if live and case != "starting" else None,
    }
    if case == "errors":
        wrong = "Say in a few words why the stream is not for everybody."
        context["stream"] = stream | {"not_general": "1"}
        context |= returned("stream", {}, not_general_reason=wrong)
    return context


def _chat(case: str, made_up: MadeUp) -> dict[str, Any]:
    now = made_up.now_ms
    rules: dict[str, Any] = {
        "slow_s": 10,
        "followers_min": 10,
        "account_age_min": 0,
        "emote_only": False,
        "unique": True,
        "links": "moderators",
        "lockdown": case == "errors",
    }
    if case == "new":
        nothing = {"slow_s": 0, "followers_min": None, "unique": False, "links": "all"}
        return {
            "rules": rules | nothing,
            **{name: [] for name in ("words", "emotes", "moderators", "restrictions", "log")},
            "older": None,
        }
    people = [("ban", "spam_bot_77", "Advertising", None), ("timeout", "grumpy", "", now + 540_000)]
    log = [
        ("tern", "timed out", "grumpy", "10 minutes"),
        ("tern", "banned", "spam_bot_77", "Advertising"),
        ("mira", "changed the rules", None, "slow mode 10 s"),
        ("mira", "made a moderator of", "tern", ""),
        (None, "removed a message of", "spam_bot_77", "Buy followers at example dot com"),
    ]
    context: dict[str, Any] = {
        "rules": rules,
        "words": [{"word": word} for word in ("free coins", "casino", "crypto airdrop", "naïve")],
        "emotes": [
            {"code": code, "url": f"/picture/{code}.svg", "width": 112, "height": 112}
            for code in ("wave", "boat", "teacup", "inkblot")
        ],
        "moderators": [
            {"username": "tern", "added_at_ms": now - 40 * DAY_MS},
            {"username": "nordlys", "added_at_ms": now - 2 * DAY_MS},
        ],
        "restrictions": [
            {
                "username": username,
                "kind": kind,
                "reason": reason,
                "made_by": "tern",
                "made_at_ms": now - 3 * DAY_MS,
                "until_ms": until_ms,
            }
            for kind, username, reason, until_ms in people
        ],
        "log": [
            {
                "at_ms": now - index * 47 * MINUTE_MS,
                "actor": actor,
                "text": text,
                "target": target,
                "detail": detail,
            }
            for index, (actor, text, target, detail) in enumerate(log)
        ],
        "older": "act_1",
    }
    if case == "errors":
        given = {"username": "nobody", "seconds": "600", "reason": ""}
        context |= returned("restriction", given, username="There is nobody with that name.")
    return context


def _health_page(case: str, made_up: MadeUp) -> dict[str, Any]:
    return {"health": health(made_up.now_ms) if case == "live" else None}


def _schedule(case: str, made_up: MadeUp) -> dict[str, Any]:
    now = made_up.now_ms
    planned = [
        ("Boats at dusk", "Art", [1, 8, 15], 120, "weekly"),
        ("Questions about paper", "Art", [3], 90, "none"),
        ("A long evening of ink with guests from over the bay", "", [5], 45, "none"),
    ]
    entries = [
        {
            "id": f"sch_{index}",
            "title": title,
            "category": category,
            "duration_min": minutes,
            "repeat": repeat,
            "times": [
                {"starts_at_ms": now + day * DAY_MS, "is_cancelled": day == 8} for day in days
            ],
        }
        for index, (title, category, days, minutes, repeat) in enumerate(planned)
    ]
    given = {
        "title": "",
        "starts": "",
        "duration_min": "120",
        "time_zone": "UTC",
        "repeat": "none",
        "category": "art",
    }
    context: dict[str, Any] = {
        "entries": [] if case in {"none", "errors"} else entries,
        "editing": "sch_1" if case == "edit" else None,
        "given": given,
        "categories": CATEGORIES,
        "durations": ["45", "60", "90", "120", "180"],
        "time_zones": [(zone, zone) for zone in ("UTC", "Asia/Dhaka", "Europe/Berlin")],
    }
    if case == "edit":
        context["given"] = given | {"title": "Questions about paper", "starts": "2026-12-01T19:30"}
    if case == "errors":
        context["given"] = given | {"title": "Boats", "starts": "2020-01-01T10:00"}
        wrong = "That is in the past. Choose a time to come."
        context |= returned("entry", {}, starts_at_ms=wrong)
    return context


def _overlays(case: str, made_up: MadeUp) -> dict[str, Any]:
    now = made_up.now_ms
    dock = {
        "id": "d1",
        "name": "Studio PC",
        "created_at_ms": now - 11 * DAY_MS,
        "last_used_at_ms": now - 6_000_000,
    }
    context: dict[str, Any] = {
        "overlay_url": "https://live.example.org/overlay/ovl_3fk20q/chat",
        "docks": [] if case == "none" else [dock],
        "new_dock": {"name": "Laptop", "key": "https://live.example.org/dock/dk_93hf7"}
        if case == "new"
        else None,
        "embed": {
            "player": '<iframe src="https://live.example.org/embed/mira" width="640" height="360" '
            'allow="autoplay; fullscreen" title="Mira Paints, live"></iframe>',
            "chat": '<iframe src="https://live.example.org/embed/mira/chat" width="360" '
            'height="600" title="Chat of Mira Paints"></iframe>',
        },
        "popout_url": "/popout/mira/chat",
    }
    if case == "errors":
        context |= returned("dock", {"name": ""}, name="You have 20 docks. Revoke one first.")
    return context


def _keys(made_up: MadeUp) -> list[dict[str, Any]]:
    now = made_up.now_ms
    return [
        {
            "id": "k1",
            "name": "Main",
            "hint": "8w4q",
            "created_at_ms": now - DAY_MS * 12,
            "last_used_at_ms": now - 7_300_000,
        },
        {
            "id": "k2",
            "name": "Phone",
            "hint": "z3ma",
            "created_at_ms": now - 240_000,
            "last_used_at_ms": None,
        },
    ]


def _connect(case: str, made_up: MadeUp) -> dict[str, Any]:
    return {
        "server_url": "rtmp://live.example.org:1935/live",
        "keys": [] if case == "nokeys" else _keys(made_up),
        "new_key": {"name": "Main", "key": KEY} if case == "new" else None,
    }


def _settings(case: str, made_up: MadeUp) -> dict[str, Any]:
    context: dict[str, Any] = {"dvr_minutes": 30}
    if case == "errors":
        given = {"name": "", "description": "Boats."}
        context |= returned("channel", given, name="This can't be empty.")
    return context
