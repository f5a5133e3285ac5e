"""Data folders as earlier versions left them: made by their own migrations, step by step, with rows
that each version could have written.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from mediaserver.kernel.db.migrate import MIGRATIONS

Rows = list[tuple[str, dict[str, Any]]]

PASSWORD = "correct horse battery"
PASSWORD_HASH = (
    "$argon2id$v=19$m=19456,t=2,p=1$d3c9h2k8jy2REF30ErstxA$xHxSTc"
    "czqfdlNSNu+tjTOuNES5SkNxE41dmb9y6HX/w"
)
_DIGEST = "ab" * 32

ROWS: dict[str, Rows] = {
    "0001": [
        ("site_value", {"key": "colour", "value": "green", "updated_at_ms": 1}),
        ("throttle", {"key": "login/alice", "empty_at_ms": 5}),
        *(
            (
                "user_account",
                {
                    "id": f"usr_{name}",
                    "username": name,
                    "email": f"{name}@example.org",
                    "password_hash": PASSWORD_HASH,
                    "is_admin": int(name == "alice"),
                    "created_at_ms": at_ms,
                },
            )
            for at_ms, name in enumerate(("alice", "bob"), 1)
        ),
        (
            "session",
            {
                "id": "ses_1",
                "user_id": "usr_alice",
                "token_digest": _DIGEST,
                "address": "192.0.2.1",
                "user_agent": "Firefox",
                "created_at_ms": 10,
                "seen_at_ms": 11,
                "expires_at_ms": 12,
            },
        ),
        (
            "token_family",
            {"id": "fam_1", "user_id": "usr_bob", "created_at_ms": 1, "expires_at_ms": 9},
        ),
        (
            "refresh_token",
            {"id": "rft_1", "family_id": "fam_1", "token_digest": _DIGEST, "created_at_ms": 1},
        ),
        (
            "channel",
            {
                "id": "chn_1",
                "slug": "alice",
                "name": "Alice’s workshop",
                "title": "Boats",
                "description": "Wood, glue and patience",
                "owner_id": "usr_alice",
                "created_at_ms": 3,
                "updated_at_ms": 4,
            },
        ),
        (
            "stream_key",
            {
                "id": "key_1",
                "channel_id": "chn_1",
                "name": "OBS",
                "key_digest": _DIGEST,
                "hint": "wxyz",
                "created_at_ms": 3,
            },
        ),
    ],
    "0002": [
        (
            "channel_moderator",
            {"channel_id": "chn_1", "user_id": "usr_bob", "added_at_ms": 5},
        ),
        (
            "blocked_word",
            {"channel_id": "chn_1", "folded": "rude", "word": "Rude", "added_at_ms": 5},
        ),
        (
            "chat_event",
            {
                "channel_id": "chn_1",
                "sequence": 1,
                "id": "evt_1",
                "kind": "message",
                "at_ms": 6,
                "user_id": "usr_bob",
                "role": "moderator",
                "text": "hello — ça va",
                "data": "{}",
            },
        ),
        (
            "chat_room",
            {"channel_id": "chn_1", "sequence": 1, "cleared_sequence": 0, "pinned_id": "evt_1"},
        ),
        (
            "emote",
            {
                "id": "emo_1",
                "channel_id": "chn_1",
                "code": "boat",
                "width": 28,
                "height": 28,
                "animated": 0,
                "added_at_ms": 7,
            },
        ),
    ],
    "0003": [
        (
            "stream",
            {
                "id": "str_1",
                "channel_id": "chn_1",
                "title": "Planned",
                "category_id": "cat_crafts",
                "tags": '["wood"]',
                "created_at_ms": 8,
            },
        ),
        ("follow", {"user_id": "usr_bob", "channel_id": "chn_1", "followed_at_ms": 9}),
        (
            "schedule_entry",
            {
                "id": "sch_1",
                "channel_id": "chn_1",
                "title": "Every Friday",
                "starts_at_ms": 10,
                "duration_min": 60,
                "repeat": "weekly",
                "time_zone": "Asia/Dhaka",
                "revision": 1,
                "created_at_ms": 10,
                "updated_at_ms": 10,
            },
        ),
    ],
    "0004": [
        (
            "realtime_token",
            {
                "id": "rtt_1",
                "channel_id": "chn_1",
                "user_id": "usr_alice",
                "kind": "dock",
                "name": "Laptop",
                "token_digest": _DIGEST,
                "created_at_ms": 11,
            },
        ),
    ],
    "0005": [
        (
            "job",
            {
                "id": "job_1",
                "kind": "mail",
                "payload": "{}",
                "state": "dead",
                "attempts": 10,
                "run_at_ms": 12,
                "created_at_ms": 12,
                "ended_at_ms": 13,
            },
        ),
        (
            "kept_mail",
            {
                "id": "mail_1",
                "recipient": "bob@example.org",
                "subject": "Hello",
                "body": "You are in.",
                "created_at_ms": 14,
            },
        ),
        ("setting", {"key": "site.name", "value": '"Boats"', "changed_at_ms": 15}),
    ],
    "0006": [
        (
            "personal_token",
            {
                "id": "ptk_1",
                "user_id": "usr_bob",
                "name": "bot",
                "scopes": "read",
                "token_digest": _DIGEST,
                "hint": "abcd",
                "created_at_ms": 16,
            },
        ),
        ("retired_name", {"kind": "user", "name": "carol", "retired_at_ms": 17}),
        (
            "totp",
            {"user_id": "usr_bob", "secret": "v1.sealed", "created_at_ms": 18, "last_step": 0},
        ),
    ],
    "0007": [
        (
            "notice",
            {
                "id": "ntc_1",
                "user_id": "usr_bob",
                "topic": "account",
                "title": "Hello",
                "body": "You are in.",
                "path": "/",
                "created_at_ms": 19,
            },
        ),
    ],
    "0008": [
        (
            "user_account",
            {
                "id": "usr_dora",
                "username": "dora",
                "email": "dora@example.org",
                "password_hash": PASSWORD_HASH,
                "is_admin": 0,
                "created_at_ms": 20,
                "is_premium": 1,
                "is_verified": 1,
                "name_skeleton": "dora",
            },
        ),
        (
            "policy",
            {
                "id": "pol_1",
                "kind": "content",
                "version": 1,
                "title": "Rules",
                "body": "Be kind.",
                "published_at_ms": 21,
            },
        ),
        (
            "policy_acceptance",
            {
                "user_id": "usr_dora",
                "policy_id": "pol_1",
                "accepted_at_ms": 22,
                "address": "192.0.2.1",
            },
        ),
        (
            "verification",
            {
                "id": "ver_1",
                "user_id": "usr_dora",
                "legal_name": "v1.sealed",
                "note": "",
                "state": "approved",
                "submitted_at_ms": 22,
                "decided_at_ms": 23,
                "decided_by": "usr_alice",
                "reason": "",
            },
        ),
        (
            "team",
            {
                "id": "tem_1",
                "slug": "the-lab",
                "name": "The lab",
                "about": "",
                "owner_id": "usr_alice",
                "created_at_ms": 24,
            },
        ),
        (
            "team_member",
            {"team_id": "tem_1", "channel_id": "chn_1", "role": "owner", "joined_at_ms": 24},
        ),
    ],
    "0009": [
        (
            "ban",
            {
                "id": "ban_1",
                "user_id": "usr_bob",
                "reason": "spam",
                "text": "",
                "from_ms": 25,
                "until_ms": 26,
                "lifted_at_ms": 26,
            },
        ),
    ],
    "0010": [
        (
            "webhook",
            {
                "id": "whk_1",
                "channel_id": "chn_1",
                "owner_id": "usr_alice",
                "url": "https://example.org/hook",
                "events": '["stream.online"]',
                "secret": "v1.sealed",
                "created_at_ms": 27,
            },
        ),
        (
            "webhook_delivery",
            {
                "id": "dlv_1",
                "webhook_id": "whk_1",
                "event_id": "evt_9",
                "event": "stream.online",
                "body": "{}",
                "state": "taken",
                "attempts": 1,
                "status": 204,
                "created_at_ms": 28,
                "ended_at_ms": 29,
            },
        ),
    ],
    "0011": [
        ("daily_figure", {"day": 20_000, "name": "streams", "value": 7}),
    ],
}
"""What each version wrote first, by its tables' columns at that time."""


def make_site_of(version: str, path: Path) -> None:
    """A SQLite database with the schema `version`, as a site that was updated each time has it."""
    for step in ROWS:
        if step <= version:
            _migrate(path, step)
            _insert(path, ROWS[step])


def rows_up_to(version: str) -> Rows:
    return [row for step, rows in ROWS.items() if step <= version for row in rows]


def _migrate(path: Path, version: str) -> None:
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, version)
    engine.dispose()


def _insert(path: Path, rows: Rows) -> None:
    database = sqlite3.connect(path)
    database.execute("PRAGMA foreign_keys=ON")
    for table, row in rows:
        marks = ", ".join("?" * len(row))
        database.execute(
            f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values())
        )
    database.commit()
    database.close()
