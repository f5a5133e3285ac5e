"""Settings that admins change while the site runs: kept here, and put over those of the file.

Only `CHANGEABLE` keys, and none that the environment sets. Owns the table `setting`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

import structlog
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from sqlalchemy import delete, insert, select, update

from mediaserver.kernel import audit, limits
from mediaserver.kernel.audit import Actor, Target
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import Config
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.schema import int64, table, text
from mediaserver.kernel.errors import Conflict, Invalid, MediaserverError, NotFound
from mediaserver.kernel.texts import checked_line, checked_paragraphs

_log = structlog.get_logger(__name__)

setting = table(
    "setting",
    text("key", primary_key=True),
    text("value"),
    int64("changed_at_ms"),
)

NEXT_STREAM = frozenset({"media.preset", "media.grace_s", "media.window_s", "media.dvr_minutes"})
"""Keys that a stream keeps as they were when it began."""

CHANGEABLE = frozenset(
    {
        "site.name",
        "site.description",
        "site.accent",
        "accounts.registration",
        "accounts.channels_per_user_max",
        "accounts.channels_per_premium_user_max",
        "accounts.admin_totp",
        "accounts.documents_keep_days",
        "rtmp.bitrate_max_kbps",
        "rtmp.connections_max",
        "rtmp.connections_per_address_max",
        "media.viewers_max",
        "media.uplink_max_kbps",
        "media.dvr_bytes_max",
        "media.instant_viewers_max",
        "media.streams_max",
        "chat.keep_days",
        "moderation.strikes_max",
        "moderation.strike_days",
        "moderation.strike_ban_days",
        "moderation.evidence_keep_days",
        "media.thumbnail_interval_s",
        "money.commission_bps",
        "money.topup_min",
        "money.topup_max",
        "money.wallet_max",
        "money.tip_min",
        "money.donation_min",
        "money.donation_max",
        "money.maturity_days",
        "money.payout_min",
        "money.two_admins_above",
        "money.manual_instructions",
        "chat.connections_max",
        "chat.connections_per_address_max",
    }
    | NEXT_STREAM
)
"""Keys that take effect without a restart. All others are read at start, from the file: what opens
ports and files, and what reaches out, which a stolen admin session must not point elsewhere."""

_PARAGRAPHS = frozenset({"money.manual_instructions"})
"""Texts of several lines; all others have one."""

_SECRETS = frozenset(
    {
        "mail.smtp_password",
        "storage.master_key",
        "database.url",
        "stripe.secret_key",
        "stripe.webhook_secret",
        "midtrans.server_key",
        "sslcommerz.store_password",
    }
)

Source = Literal["default", "file", "environment", "admin"]
Effect = Literal["now", "next_stream", "restart"]

Checks = Mapping[str, Callable[[Any], None]]
"""By section: raises `Invalid` for one whose values don't fit each other."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting with its explanation. `choices`: the values it may have, when they are few;
    `is_long`: it is a text of several lines.

    The value of a secret is never shown: True when there is one. `effect`: when a change counts.
    """

    key: str
    value: Any
    default: Any
    description: str
    source: Source
    is_changeable: bool
    effect: Effect
    choices: tuple[str, ...]
    is_long: bool


class Settings:
    """Shows what is in force, and changes it. Make it with `Settings.open`."""

    def __init__(
        self, db: Database, clock: Clock, config: Config, checks: Checks | None = None
    ) -> None:
        self._db = db
        self._clock = clock
        self._config = config
        self._checks = checks or {}
        self._from_file = config.model_copy(deep=True)

        self._changed: set[str] = set()

    @classmethod
    async def open(
        cls, db: Database, clock: Clock, config: Config, checks: Checks | None = None
    ) -> Settings:
        """Put what admins have changed over `config`; a stored value that is wrong by now is left
        out, and one that the environment sets gives way to it.

        `checks` are for what kernel can't know; raises what they raise about `config` itself.
        """
        settings = cls(db, clock, config, checks)
        for section, check in settings._checks.items():
            check(getattr(config, section))
        for key, value in (await db.read(_stored)).items():
            try:
                settings._field(key)
                settings._tried(key, value)
                settings._assign(key, value)
            except MediaserverError as error:
                _log.warning("a stored setting is left out", key=key, reason=error.message)
            else:
                settings._changed.add(key)
        return settings

    def list(self) -> list[Setting]:
        """Every setting, in the order of config.toml."""
        return [
            self._setting(f"{section}.{name}", field)
            for section, fields in _sections()
            for name, field in fields.items()
        ]

    async def change(self, actor: Actor, key: str, value: Any) -> Setting:
        """Have `value` in force from now on; a text is read as config.toml would.

        Raises `NotFound`, `Conflict` (it can't be changed here) or `Invalid`.
        """
        field = self._field(key)
        before, value = self._value(key), self._tried(key, value)
        if value != before:
            await self._db.write(_put, key, value, before, actor, self._clock.wall_ms())
            self._assign(key, value)
            self._changed.add(key)
        return self._setting(key, field)

    async def reset(self, actor: Actor, key: str) -> Setting:
        """Have what the file says in force again. Raises `NotFound` or `Conflict`."""
        field = self._field(key)
        section, name = _parts(key)
        before, value = self._value(key), getattr(getattr(self._from_file, section), name)
        await self._db.write(_remove, key, value, before, actor, self._clock.wall_ms())
        self._assign(key, value)
        self._changed.discard(key)
        return self._setting(key, field)

    def _tried(self, key: str, value: Any) -> Any:
        """The value as it would be in force. Raises `Invalid`."""
        section, name = _parts(key)
        trial = getattr(self._config, section).model_copy()
        _assign(trial, key, value)
        if section in self._checks:
            self._checks[section](trial)
        return getattr(trial, name)

    def _assign(self, key: str, value: Any) -> None:
        _assign(getattr(self._config, _parts(key)[0]), key, value)

    def _field(self, key: str) -> FieldInfo:
        """The field of a key that can be changed."""
        section, name = _parts(key)
        field = dict(_sections()).get(section, {}).get(name)
        if field is None:
            raise NotFound(f"There is no setting {key}.")
        if key not in CHANGEABLE:
            raise Conflict("That is read at start: change it in config.toml.", code="needs_restart")
        if key in self._config.environment:
            raise Conflict("The environment sets that.", code="set_by_environment")
        return field

    def _value(self, key: str) -> Any:
        section, name = _parts(key)
        return getattr(getattr(self._config, section), name)

    def _setting(self, key: str, field: FieldInfo) -> Setting:
        section, name = _parts(key)
        value, default = self._value(key), field.default
        if key in self._config.environment:
            source: Source = "environment"
        elif key in self._changed:
            source = "admin"
        else:
            is_set = name in getattr(self._from_file, section).model_fields_set
            source = "file" if is_set else "default"
        literal = get_origin(field.annotation) is Literal
        return Setting(
            key=key,
            value=bool(value) if key in _SECRETS else value,
            default=bool(default) if key in _SECRETS else default,
            description=field.description or "",
            source=source,
            is_changeable=key in CHANGEABLE and source != "environment",
            effect=_effect(key),
            choices=get_args(field.annotation) if literal else (),
            is_long=key in _PARAGRAPHS,
        )


def _parts(key: str) -> tuple[str, str]:
    section, _, name = key.partition(".")
    return section, name


def _effect(key: str) -> Effect:
    if key not in CHANGEABLE:
        return "restart"
    return "next_stream" if key in NEXT_STREAM else "now"


def _assign(section: BaseModel, key: str, value: Any) -> None:
    name = _parts(key)[1]
    if isinstance(value, str):
        checked = checked_paragraphs if key in _PARAGRAPHS else checked_line
        value = checked(value, name, limits.SETTING_CHARS_MAX)
    try:
        setattr(section, name, value)
    except ValidationError as error:
        raise Invalid(_sentence(error), field=name) from error


def _sentence(error: ValidationError) -> str:
    """What is wrong with a value, for people."""
    problem = error.errors()[0]
    bounds = problem.get("ctx", {})
    sentences = {
        "greater_than_equal": f"Use {bounds.get('ge')} or more.",
        "less_than_equal": f"Use {bounds.get('le')} or less.",
        "string_too_long": f"Use at most {bounds.get('max_length')} characters.",
        "string_too_short": "This can't be empty.",
        "int_parsing": "Use a whole number.",
        "int_type": "Use a whole number.",
        "literal_error": "Choose one of the list.",
    }
    return sentences.get(problem["type"], "That doesn't have the right form.")


def _sections() -> list[tuple[str, dict[str, FieldInfo]]]:
    return [
        (name, getattr(field.annotation, "model_fields", {}))
        for name, field in Config.model_fields.items()
    ]


def _stored(tx: Transaction) -> dict[str, Any]:
    return {row.key: json.loads(row.value) for row in tx.execute(select(setting))}


def _put(tx: Transaction, key: str, value: Any, before: Any, actor: Actor, now_ms: int) -> None:
    values = {"value": json.dumps(value), "changed_at_ms": now_ms}
    if tx.execute(update(setting).where(setting.c.key == key).values(values)).rowcount == 0:
        tx.execute(insert(setting).values(key=key, **values))
    _record(tx, key, before, value, actor, now_ms)


def _remove(tx: Transaction, key: str, value: Any, before: Any, actor: Actor, now_ms: int) -> None:
    if tx.execute(delete(setting).where(setting.c.key == key)).rowcount:
        _record(tx, key, before, value, actor, now_ms)


def _record(tx: Transaction, key: str, before: Any, after: Any, actor: Actor, now_ms: int) -> None:
    target = Target("setting", key, key)
    audit.append(tx, actor, "setting.change", target, now_ms, {"before": before, "after": after})
