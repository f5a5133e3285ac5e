"""Every event that crosses the wire: its payload, its answer, what it means, and an example.

The handlers, the relay and the document at /api/asyncapi.json all read these declarations; a test
holds them together, which is why they stand in one module. The payloads: asked.py and told.py.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from mediaserver.media.health import Health
from mediaserver.realtime.asked import (
    Act,
    AskCard,
    Asked,
    Hello,
    Join,
    Leave,
    Report,
    Say,
    Shown,
    Watch,
)
from mediaserver.realtime.told import (
    Acted,
    Card,
    Closing,
    Done,
    Greeting,
    Inbox,
    Joined,
    NewActivity,
    NewAlert,
    NewAlertState,
    NewEvents,
    NewHealth,
    NewLive,
    NewSupport,
    NewYou,
    Notice,
    Overlays,
    Presence,
    Said,
    Skip,
    Told,
    Watched,
)

CHAT, STUDIO, OVERLAY = "/chat", "/studio", "/overlay"


@dataclass(frozen=True, slots=True, eq=False)
class FromClient:
    """An event that a client may send, and the answer in its acknowledgement."""

    namespace: str
    name: str
    payload: type[Asked]
    answer: type[Done]
    example: dict[str, Any]
    answer_example: dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class FromServer:
    """An event that the server sends."""

    namespace: str
    name: str
    payload: type[Told]
    example: dict[str, Any]


_LINE: dict[str, Any] = {
    "sequence": 41,
    "kind": "message",
    "id": "msg_7k2m9d0q4x8w1v5t3r6z",
    "at_ms": 1_800_000_000_000,
    "author": {"id": "usr_4c8n2p6s0v3y7b1f5h9k", "username": "ada", "role": "moderator"},
    "text": "hi @bob :wave:",
    "reply_to": None,
    "removed": False,
    "data": {},
}
_LIVE = {"state": "live", "title": "Night shift", "viewers": 12}
_HEALTH = dataclasses.asdict(
    Health(
        at_ms=1_800_000_000_000,
        state="live",
        bitrate_bps=5_800_000,
        fps=30.0,
        keyframe_interval_ms=8_300,
        video_codec="H.264",
        audio_codec="AAC",
        width=1920,
        height=1080,
        viewers=12,
        viewers_instant=9,
        viewers_hls=3,
        latency_p50_ms=380,
        latency_p95_ms=2_100,
        stalls_per_hour=0.4,
        viewers_stalling_pct=8.3,
        uplink_bps=69_600_000,
        verdict="warn",
        advice="Keyframes come every 8.3 s. Set 2 s in your encoder.",
    )
)
_ACTIVITY = {
    "id": "act_0q4x8w1v5t3r6z7k2m9d",
    "at_ms": 1_800_000_000_000,
    "kind": "follow",
    "text": "bob follows you now.",
    "username": "bob",
    "given": None,
}
_TIP = {
    "id": "ctb_7k2m9d0q4x8w1v5t3r6z",
    "kind": "tip",
    "amount_minor": 1250,
    "currency": "USD",
    "amount": "$12.50",
    "name": "bob",
    "tier": 3,
    "top_until_ms": 1_800_000_300_000,
}
_SUPPORT = {
    "goal": {
        "title": "A new microphone",
        "target_minor": 20_000,
        "raised_minor": 12_400,
        "currency": "USD",
        "target": "$200.00",
        "raised": "$124.00",
        "percent": 62,
        "ends_at_ms": None,
    },
    "tippers": [{"name": "bob", "amount": "$12.50"}],
    "board": {"period": "month", "tippers": [{"name": "bob", "amount": "$12.50"}]},
}
_ALERT = {
    "id": _TIP["id"],
    "turn": 0,
    "kind": "tip",
    "name": "bob",
    "amount_minor": 1250,
    "currency": "USD",
    "amount": "$12.50",
    "message": "Great stream",
    "goal": "$124.00 of $200.00",
    "line_id": "msg_7k2m9d0q4x8w1v5t3r6z",
    "gap_ms": 1_000,
    "look": {
        "id": "alk_7k2m9d0q4x8w1v5t3r6z",
        "amount_minor_min": 0,
        "template": "{name} gave {amount}",
        "picture": "star",
        "picture_url": None,
        "sound": "chime",
        "volume": 60,
        "duration_ms": 8_000,
        "animation": "rise",
        "layout": "above",
        "size_px": 40,
        "colour": "#ffffff",
        "name_colour": "#7ee2a8",
    },
}
_YOU = {
    "username": "bob",
    "role": "viewer",
    "can_write": False,
    "why_not": "You can write again in 10 minutes.",
    "code": "timed_out",
    "until_ms": 1_800_000_600_000,
    "slow_s": 0,
    "next_at_ms": None,
    "follows": True,
}
_EMOTE = {
    "code": "wave",
    "url": "/emotes/emo_2p6s0v3y7b1f5h9k4c8n.webp",
    "width": 56,
    "height": 56,
    "animated": False,
    "channel": True,
}
_RULES = {
    "slow_s": 10,
    "followers_min": None,
    "account_age_min": 0,
    "emote_only": False,
    "unique": False,
    "links": "moderators",
    "lockdown": False,
}
_NONCE = "c2VlIHlvdSBz"
_DONE = {"ok": True}

REFUSED_EXAMPLE = {
    "ok": False,
    "error": {"code": "rate_limited", "message": "You write too fast.", "retry_after_s": 2},
}

JOIN = FromClient(
    CHAT,
    "join",
    Join,
    Joined,
    {"channel": "ada", "after": 40},
    {
        "ok": True,
        "channel": "ada",
        "sequence": 41,
        "reset": False,
        "events": [_LINE],
        "pinned": None,
        "rules": _RULES,
        "emotes": [_EMOTE],
        "you": _YOU,
        "commands": [
            {"name": "help", "usage": "/help", "help": "Show the commands that you may use."}
        ],
        "live": _LIVE,
        "viewers": 12,
        "followers": 340,
        "kept": [{"line_id": _LINE["id"], "text": "Great stream", "tip": _TIP}],
    },
)
LEAVE = FromClient(CHAT, "leave", Leave, Done, {"channel": "ada"}, _DONE)
SAY = FromClient(
    CHAT,
    "say",
    Say,
    Said,
    {"channel": "ada", "text": "hi", "nonce": _NONCE},
    {"ok": True, "id": _LINE["id"], "sequence": 41, "notice": None},
)
ACT = FromClient(
    CHAT,
    "act",
    Act,
    Acted,
    {"channel": "ada", "action": {"type": "timeout", "username": "bob", "seconds": 600}},
    {"ok": True, "notice": "bob can't write for 10 minutes."},
)
CARD = FromClient(
    CHAT,
    "card",
    AskCard,
    Card,
    {"channel": "ada", "username": "bob"},
    {
        "ok": True,
        "username": "bob",
        "role": "viewer",
        "avatar_url": "/avatars/ava_0123456789abcdefghjk.webp",
        "about": "I paint boats.",
        "links": [{"name": "Shop", "url": "https://boats.example.org"}],
        "follows_since_ms": 1_790_000_000_000,
        "joined_at_ms": 1_780_000_000_000,
        "lines": 3,
        "restriction": {"kind": "timeout", "until_ms": 1_800_000_600_000, "reason": "Spam."},
    },
)
REPORT = FromClient(
    CHAT,
    "report",
    Report,
    Done,
    {"channel": "ada", "way": "instant", "latency_ms": 380, "stalls": 0},
    _DONE,
)
WATCH = FromClient(
    STUDIO,
    "watch",
    Watch,
    Watched,
    {"channel": "ada"},
    {"ok": True, "health": _HEALTH, "history": [_HEALTH], "activity": [_ACTIVITY], "overlays": 1},
)
HELLO = FromClient(
    OVERLAY,
    "hello",
    Hello,
    Greeting,
    {"after": 40, "part": "alerts"},
    {
        "ok": True,
        "channel": "ada",
        "name": "Ada",
        "sequence": 41,
        "reset": False,
        "events": [_LINE],
        "emotes": [_EMOTE],
        "alerts": [_ALERT],
        "more": False,
        "support": _SUPPORT,
    },
)
SHOWN = FromClient(OVERLAY, "shown", Shown, Done, {"id": _TIP["id"], "turn": 0}, _DONE)

EVENTS = FromServer(CHAT, "events", NewEvents, {"channel": "ada", "events": [_LINE]})
YOU = FromServer(CHAT, "you", NewYou, {"channel": "ada", "you": _YOU})
LIVE = FromServer(CHAT, "live", NewLive, {"channel": "ada", "live": _LIVE})
PRESENCE = FromServer(
    CHAT, "presence", Presence, {"channel": "ada", "viewers": 12, "followers": 340}
)
NOTICE = FromServer(
    CHAT,
    "notice",
    Notice,
    {"kind": "went-live", "slug": "ada", "name": "Ada", "title": "Night shift", "url": "/@ada"},
)
INBOX = FromServer(
    CHAT,
    "inbox",
    Inbox,
    {"id": "ntc_7k2m9d0q4x8w1v5t3r6z", "title": "The Lab invites you", "url": "/teams/lab"},
)
SUPPORT = FromServer(
    CHAT, "support", NewSupport, {"channel": "ada", "support": {**_SUPPORT, "board": None}}
)
CHAT_CLOSING = FromServer(CHAT, "closing", Closing, {"reason": "restart"})
HEALTH = FromServer(STUDIO, "health", NewHealth, {"channel": "ada", "health": _HEALTH})
ACTIVITY = FromServer(STUDIO, "activity", NewActivity, {"channel": "ada", "item": _ACTIVITY})
ALERT_STATE = FromServer(
    STUDIO, "alert", NewAlertState, {"channel": "ada", "id": _TIP["id"], "alert": "shown"}
)
OVERLAYS = FromServer(STUDIO, "overlays", Overlays, {"channel": "ada", "open": 1})
STUDIO_CLOSING = FromServer(STUDIO, "closing", Closing, {"reason": "restart"})
OVERLAY_EVENTS = FromServer(OVERLAY, "events", NewEvents, EVENTS.example)
OVERLAY_LIVE = FromServer(OVERLAY, "live", NewLive, LIVE.example)
ALERT = FromServer(OVERLAY, "alert", NewAlert, {"channel": "ada", "alert": _ALERT})
SKIP = FromServer(OVERLAY, "skip", Skip, {"channel": "ada", "id": _TIP["id"]})
OVERLAY_SUPPORT = FromServer(
    OVERLAY, "support", NewSupport, {"channel": "ada", "support": _SUPPORT}
)
OVERLAY_CLOSING = FromServer(OVERLAY, "closing", Closing, {"reason": "restart"})

FROM_CLIENT = (JOIN, LEAVE, SAY, ACT, CARD, REPORT, WATCH, HELLO, SHOWN)
FROM_SERVER = (
    EVENTS,
    YOU,
    LIVE,
    PRESENCE,
    NOTICE,
    INBOX,
    SUPPORT,
    CHAT_CLOSING,
    HEALTH,
    ACTIVITY,
    ALERT_STATE,
    OVERLAYS,
    STUDIO_CLOSING,
    OVERLAY_EVENTS,
    OVERLAY_LIVE,
    ALERT,
    SKIP,
    OVERLAY_SUPPORT,
    OVERLAY_CLOSING,
)
