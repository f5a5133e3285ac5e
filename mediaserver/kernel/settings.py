"""Settings as they are now: the file and the environment, and over them what admins have changed.

`Settings` reads like a `Config` that may be another one a moment later: who must follow a change
asks it each time. Only `CHANGEABLE` keys can be changed while the site runs, and none that the
environment sets. Owns the table `setting`.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

import structlog
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from sqlalchemy import delete, insert, select, update

from mediaserver.kernel import audit
from mediaserver.kernel.audit import Actor, Target
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import (
    AccountsConfig,
    ChatConfig,
    Config,
    DatabaseConfig,
    HttpConfig,
    LogConfig,
    MailConfig,
    MediaConfig,
    MetricsConfig,
    RtmpConfig,
    SiteConfig,
    StorageConfig,
    WebhooksConfig,
)
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.db.schema import int64, table, text
from mediaserver.kernel.errors import Conflict, Invalid, NotFound

_log = structlog.get_logger(__name__)

setting = table(
    "setting",
    text("key", primary_key=True),
    text("value"),
    int64("changed_at_ms"),
)

CHANGEABLE = frozenset(
    {
        "site.name",
        "site.description",
        "site.accent",
        "accounts.registration",
        "accounts.channels_per_user_max",
        "accounts.admin_totp",
        "media.viewers_max",
        "media.uplink_max_kbps",
        "media.instant_viewers_max",
        "media.streams_max",
    }
)
"""Keys that take effect at once. All others are read at start, from the file."""

_SECRETS = frozenset({"mail.smtp_password", "storage.master_key", "database.url"})

Source = Literal["default", "file", "environment", "admin"]


@dataclass(frozen=True, slots=True)
class SettingChanged:
    """A setting has another value from now on."""

    key: str


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting with its explanation. `choices`: the values it may have, when they are few.

    The value of a secret is never shown: True when there is one.
    """

    key: str
    value: Any
    default: Any
    description: str
    source: Source
    is_changeable: bool
    choices: tuple[str, ...]


class Settings:
    """What is in force, section by section. Make it with `Settings.open`."""

    def __init__(
        self, db: Database, clock: Clock, base: Config, environment: Collection[str]
    ) -> None:
        self._db = db
        self._clock = clock
        self._base = base
        self._environment = frozenset(environment)

        self._changed: dict[str, Any] = {}
        self._current = base

    @classmethod
    async def open(
        cls, db: Database, clock: Clock, base: Config, environment: Collection[str]
    ) -> Settings:
        """`environment`: the keys that it sets. A stored value that is wrong by now is left out."""
        settings = cls(db, clock, base, environment)
        stored = await db.read(_stored)
        for key, value in stored.items():
            try:
                settings._apply({**settings._changed, key: value})
            except (Invalid, NotFound) as error:
                _log.warning("a stored setting is left out", key=key, reason=str(error))
        return settings

    @property
    def current(self) -> Config:
        """What is in force at this moment, as a whole."""
        return self._current

    @property
    def site(self) -> SiteConfig:
        return self._current.site

    @property
    def http(self) -> HttpConfig:
        return self._current.http

    @property
    def rtmp(self) -> RtmpConfig:
        return self._current.rtmp

    @property
    def media(self) -> MediaConfig:
        return self._current.media

    @property
    def storage(self) -> StorageConfig:
        return self._current.storage

    @property
    def database(self) -> DatabaseConfig:
        return self._current.database

    @property
    def accounts(self) -> AccountsConfig:
        return self._current.accounts

    @property
    def mail(self) -> MailConfig:
        return self._current.mail

    @property
    def webhooks(self) -> WebhooksConfig:
        return self._current.webhooks

    @property
    def chat(self) -> ChatConfig:
        return self._current.chat

    @property
    def log(self) -> LogConfig:
        return self._current.log

    @property
    def metrics(self) -> MetricsConfig:
        return self._current.metrics

    def list(self) -> list[Setting]:
        """Every setting, in the order of config.toml."""
        return [
            self._setting(f"{section}.{name}", field)
            for section, fields in _sections()
            for name, field in fields.items()
        ]

    async def change(self, actor: Actor, key: str, value: Any) -> Setting:
        """Have `value` in force from now on. Raises `NotFound`, `Conflict` (it can't be changed
        here) or `Invalid`.
        """
        field = self._changeable(key)
        self._apply({**self._changed, key: value}, dry_run=True)
        before = self._value(key)
        await self._db.write(_put, key, value, before, actor, self._clock.wall_ms())
        self._apply({**self._changed, key: value})
        return self._setting(key, field)

    async def reset(self, actor: Actor, key: str) -> Setting:
        """Have what the file says in force again. Raises `NotFound` or `Conflict`."""
        field = self._changeable(key)
        before = self._value(key)
        await self._db.write(_remove, key, before, actor, self._clock.wall_ms())
        self._apply({name: value for name, value in self._changed.items() if name != key})
        return self._setting(key, field)

    def _apply(self, changed: dict[str, Any], *, dry_run: bool = False) -> None:
        tables = self._base.model_dump()
        for key, value in changed.items():
            section, _, name = key.partition(".")
            if key not in CHANGEABLE or name not in tables.get(section, {}):
                raise NotFound(f"There is no setting {key} to change.")
            if key not in self._environment:
                tables[section][name] = value
        try:
            current = Config.model_validate(tables)
        except ValidationError as error:
            problem = error.errors()[0]
            raise Invalid(problem["msg"], field=".".join(map(str, problem["loc"]))) from error
        if not dry_run:
            self._changed, self._current = changed, current

    def _changeable(self, key: str) -> FieldInfo:
        section, _, name = key.partition(".")
        field = dict(_sections()).get(section, {}).get(name)
        if field is None:
            raise NotFound(f"There is no setting {key}.")
        if key not in CHANGEABLE:
            raise Conflict("That is read at start: change it in config.toml.", code="needs_restart")
        if key in self._environment:
            raise Conflict("The environment sets that.", code="set_by_environment")
        return field

    def _value(self, key: str) -> Any:
        section, _, name = key.partition(".")
        return getattr(getattr(self._current, section), name)

    def _setting(self, key: str, field: FieldInfo) -> Setting:
        value, default = self._value(key), field.default
        if key in self._environment:
            source: Source = "environment"
        elif key in self._changed:
            source = "admin"
        else:
            source = "default" if value == default else "file"
        literal = get_origin(field.annotation) is Literal
        return Setting(
            key=key,
            value=bool(value) if key in _SECRETS else value,
            default=bool(default) if key in _SECRETS else default,
            description=field.description or "",
            source=source,
            is_changeable=key in CHANGEABLE and source != "environment",
            choices=get_args(field.annotation) if literal else (),
        )


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


def _remove(tx: Transaction, key: str, before: Any, actor: Actor, now_ms: int) -> None:
    if tx.execute(delete(setting).where(setting.c.key == key)).rowcount:
        _record(tx, key, before, None, actor, now_ms)


def _record(tx: Transaction, key: str, before: Any, after: Any, actor: Actor, now_ms: int) -> None:
    target = Target("setting", key, key)
    audit.append(tx, actor, "setting.change", target, now_ms, {"before": before, "after": after})
    tx.emit(SettingChanged(key))
