"""Examples for the API document: a field that brings none gets one by its name, then by its type.

A field is called the same wherever it means the same, so one table is enough; a text whose name
isn't in it has no example, and a test says so. Called by openapi.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MOMENT_MS = 1_900_000_000_000

_BY_NAME: Mapping[str, Any] = {
    "about": "I build small boats.",
    "access_token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "action": "timeout",
    "actor": "carol",
    "address": "192.0.2.1",
    "advice": "Keyframes come every 8.3 s. Set 2 s in your encoder.",
    "after": "id_0123456789abcdefghjk",
    "amount": "$12.50",
    "answer": "It was an honest mistake.",
    "approved_by": "carol",
    "asked_by": "carol",
    "assignee": "carol",
    "audio_codec": "AAC",
    "avatar": "/avatars/avt_0123456789abcdefghjk.webp",
    "bank": "Example Bank",
    "bank_reference": "E2E-2026-11-0042",
    "before": "id_0123456789abcdefghjk",
    "body": "In plain words: be kind.",
    "broadcast_id": "brc_0123456789abcdefghjk",
    "cancelled": [],
    "category": "Art",
    "category_slug": "art",
    "channel": "alice",
    "channel_name": "Alice",
    "channels": ["alice"],
    "chat": [],
    "code": "wave",
    "colour": "blue",
    "country": "DE",
    "currency": "USD",
    "decided_by": "carol",
    "description": "Landscapes, every Friday.",
    "detail": "10 min",
    "effect": "now",
    "email": "alice@example.org",
    "end_reason": "The encoder has ended the stream.",
    "entry_id": "sch_0123456789abcdefghjk",
    "field": "title",
    "folder": "images",
    "gateway": "stripe",
    "given_by": "carol",
    "gate": "age.1900000000.9f86d081884c7d659a2feaa0c55ad015",
    "handle": "otc_0123456789abcdefghjk",
    "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "hint": "x7k2",
    "holder": "Alice Example",
    "icon": "palette",
    "id": "id_0123456789abcdefghjk",
    "key": "live_8f3kq2mzx8w4hn5vb6ty",
    "kind": "message",
    "label": "Recordings",
    "last_error": "The other side doesn't answer.",
    "legal_name": "Alice Example",
    "links": "everybody",
    "made_by": "carol",
    "meaning": "The pictures are missing.",
    "message": "Use at most 60 characters.",
    "name": "Alice",
    "next": "id_0123456789abcdefghjk",
    "nonce": "bm9uY2UtMDAwMQ",
    "not_general_reason": "Talks about war.",
    "note": "The scan can't be read.",
    "notice": "bob can't write for 10 minutes.",
    "outcome": "upheld",
    "owner": "alice",
    "path": "/srv/mediaserver/storage",
    "policy_id": "pol_0123456789abcdefghjk",
    "provider_ref": "re_3PqX",
    "reason": "Spam.",
    "recovery_codes": ["7k2m9-d0q4x"],
    "refresh_token": "rt_hqUvV0N3cGxJc2VjcmV0",
    "repeat": "weekly",
    "reply_to": "msg_0123456789abcdefghjk",
    "reporter": "bob",
    "role": "viewer",
    "routing": "COBADEFFXXX",
    "scopes": ["read"],
    "search": "ali",
    "secret": "JBSWY3DPEHPK3PXP",
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "show": "open",
    "slug": "alice",
    "source": "file",
    "state": "live",
    "step": "documents",
    "subject": "Your code",
    "tags": ["watercolour"],
    "target": "bob",
    "target_id": "usr_0123456789abcdefghjk",
    "team": "the-lab",
    "team_name": "The Lab",
    "text": "Hello",
    "ticket": "tkt_hqUvV0N3cGxJc2VjcmV0",
    "time_zone": "Europe/Berlin",
    "title": "Painting by the lake",
    "to": "alice@example.org",
    "token": "msp_hqUvV0N3cGxJc2VjcmV0",
    "token_type": "Bearer",
    "uri": "otpauth://totp/Our%20Site:alice?secret=JBSWY3DPEHPK3PXP",
    "url": "/emotes/emo_0123456789abcdefghjk.webp",
    "user_agent": "Mozilla/5.0",
    "username": "bob",
    "verdict": "good",
    "verification": "submitted",
    "version": "1",
    "video_codec": "H.264",
    "warning": "Keyframes are too far apart.",
    "way": "gateway",
    "why_not": "You can write again in 10 minutes.",
    "word": "spam",
}

_BY_SUFFIX: Mapping[str, Any] = {
    "_id": "id_0123456789abcdefghjk",
    "_path": "/notices",
    "_url": "/live/alice/index.m3u8",
}

_BY_TYPE: Mapping[str, Any] = {
    "array": [],
    "boolean": True,
    "integer": 1,
    "number": 1.5,
    "object": {},
}

_SUITS: Mapping[str, type | tuple[type, ...]] = {
    "array": list,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "object": dict,
    "string": str,
}


def add_examples(schemas: Mapping[str, dict[str, Any]]) -> None:
    """Give each property of these JSON schemas an example, as far as it can be known."""
    for schema in schemas.values():
        for name, field in schema.get("properties", {}).items():
            add_example(name, field)


def add_example(name: str, field: dict[str, Any]) -> None:
    """`field` is the schema of one property, or of one parameter. Those that refer to a model have
    the examples of its own properties.
    """
    if "examples" in field or refers(field):
        return
    wanted = next(iter(_types(field)), None)
    example = _example(name, wanted, field)
    if example is not None:
        field["examples"] = [example]


def refers(field: Mapping[str, Any]) -> bool:
    """Whether it is, or holds, another schema of the document."""
    if "$ref" in field:
        return True
    inner = [*field.get("anyOf", ()), *field.get("oneOf", ()), *field.get("allOf", ())]
    inner += [field[name] for name in ("items", "additionalProperties") if name in field]
    return any(isinstance(one, Mapping) and refers(one) for one in inner)


def _types(field: Mapping[str, Any]) -> list[str]:
    """The JSON types that the field may have, but null."""
    if "type" in field:
        return [field["type"]]
    return [kind for one in field.get("anyOf", ()) for kind in _types(one) if kind != "null"]


def _example(name: str, wanted: str | None, field: Mapping[str, Any]) -> Any:
    for one in (field, *field.get("anyOf", ())):
        if "const" in one or "enum" in one:
            return one.get("const", one.get("enum", [None])[0])
    if wanted is None:
        return None
    if wanted == "integer" and name.endswith("_at_ms"):
        return _MOMENT_MS
    by_suffix = (value for suffix, value in _BY_SUFFIX.items() if name.endswith(suffix))
    named = _BY_NAME.get(name, next(by_suffix, None))
    if isinstance(named, _SUITS[wanted]):
        return named
    return _BY_TYPE.get(wanted)
