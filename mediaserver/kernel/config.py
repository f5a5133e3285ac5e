"""`config.toml` and the environment → settings. Unknown keys are errors.

Whoever needs a setting keeps its section and reads it each time: kernel/settings.py, and nobody
else, assigns what an admin changes while the site runs, and pydantic checks it again.

`config.toml` at the top of the project is the operator's manual: a test holds every key, default
and sentence there against the fields here. Any key may be set as MEDIASERVER_SECTION__KEY.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from mediaserver.kernel.errors import Invalid

ENVIRONMENT_PREFIX = "MEDIASERVER_"

_AMOUNT = r"^[0-9]{1,9}(\.[0-9]{1,3})?$"
"""An amount of the site's currency; kernel knows none, so money/ looks at its digits."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_assignment=True)


class SiteConfig(_Section):
    name: str = Field(
        "Mediaserver",
        min_length=1,
        max_length=60,
        description="What the site is called, in the header and in page titles.",
    )
    description: str = Field(
        "Live streams from this server.",
        max_length=200,
        description="One sentence under the name on the home page.",
    )
    public_url: str = Field(
        "",
        pattern=r"^(https?://[^/\s]+)?$",
        description="Address that people use, such as https://live.example.org. Empty: taken "
        "from each request.",
    )
    accent: str = Field(
        "",
        pattern=r"^(#[0-9a-fA-F]{6})?$",
        description="Colour of buttons and links as #rrggbb, made lighter or darker where it would "
        "be hard to read. Empty: the built-in violet.",
    )


class HttpConfig(_Section):
    host: str = Field(
        "0.0.0.0",  # noqa: S104
        description="Address to listen on for the web. 127.0.0.1 keeps the site to this machine.",
    )
    port: int = Field(8080, ge=0, le=65535, description="Port for the web. 0 picks a free one.")
    tls_certificate: str = Field(
        "",
        description="Certificate file (PEM) for HTTPS. Empty: plain HTTP.",
    )
    tls_key: str = Field("", description="Private key file (PEM) that belongs to the certificate.")
    trusted_proxies: tuple[str, ...] = Field(
        (),
        description="Addresses or networks whose X-Forwarded-For and X-Forwarded-Proto are "
        "believed.",
    )


class RtmpConfig(_Section):
    host: str = Field(
        "0.0.0.0",  # noqa: S104
        description="Address to listen on for encoders such as OBS.",
    )
    port: int = Field(1935, ge=0, le=65535, description="Port for RTMP. 0 picks a free one.")
    tls_port: int = Field(
        -1,
        ge=-1,
        le=65535,
        description="Port for RTMPS, with the certificate of [http]. 0 picks a free one, -1 is "
        "off.",
    )
    bitrate_max_kbps: int = Field(
        20_000,
        ge=100,
        le=30_000,  # what the window and the first group of pictures may hold in memory
        description="A publisher above this rate, averaged over 10 s, is disconnected.",
    )
    connections_max: int = Field(
        512,
        ge=1,
        le=50_000,
        description="Open encoder connections over all; further ones are closed at once.",
    )
    connections_per_address_max: int = Field(
        32,
        ge=1,
        le=50_000,
        description="Open encoder connections from one address (with IPv6, from one /64).",
    )


class MediaConfig(_Section):
    preset: Literal["lan", "low", "normal"] = Field(
        "low",
        description="lan: 0.2 s parts, about 1 s behind, for a fast local network. low: 0.5 s "
        "parts, about 2 s behind. normal: plain segments, about 8 s behind, "
        "easiest to cache.",
    )
    grace_s: int = Field(
        30,
        ge=0,
        le=600,
        description="Seconds that a stream waits for its encoder to come back before it ends.",
    )
    window_s: int = Field(
        40,
        ge=30,
        le=120,
        description="Seconds of the live stream that players can reach, kept in memory.",
    )
    viewers_max: int = Field(
        0,
        ge=0,
        description="Viewers at once over all streams; further ones are told that it is full. 0: "
        "as many as come.",
    )
    uplink_max_kbps: int = Field(
        0,
        ge=0,
        description="What the viewers of all streams may take of this server's upload; a further "
        "one that doesn't fit is told that it is full. 0: no limit.",
    )
    dvr_minutes: int = Field(
        30,
        ge=0,
        le=240,
        description="Minutes that viewers can rewind a live stream, kept on disk while it lasts. "
        "0: off.",
    )
    dvr_bytes_max: int = Field(
        10_737_418_240,
        ge=1_048_576,
        description="Bytes on disk for rewinding, over all streams. When they are short, or the "
        "disk is, the time to rewind gets shorter.",
    )
    streams_max: int = Field(
        16,
        ge=1,
        le=1000,
        description="Streams that may be live at once; a further encoder is refused.",
    )
    thumbnail_interval_s: int = Field(
        10,
        ge=2,
        le=300,
        description="Seconds between two thumbnails of a live stream.",
    )
    instant_viewers_max: int = Field(
        300,
        ge=0,
        le=100_000,
        description="Viewers with instant playback, about 0.3 s behind, over all streams. Further "
        "ones get the preset above. 0 turns it off.",
    )


class StorageConfig(_Section):
    path: Path = Field(
        Path("storage"),
        description="Folder for everything the site keeps: database, images, recordings, backups.",
    )
    master_key: str = Field(
        "",
        description="Key that seals second factors and bank details: 32 bytes in URL-safe base64. "
        "Empty: one is made and kept as master.key in the folder above.",
    )


class DatabaseConfig(_Section):
    url: str = Field(
        "",
        description="Empty: SQLite in the storage folder. For more than one machine: "
        "postgresql+asyncpg://user:password@host/name.",
    )


class BackupConfig(_Section):
    folder: str = Field(
        "",
        description="Folder for backups, best on another disk. Empty: backups in the storage "
        "folder.",
    )
    every_hours: int = Field(
        24,
        ge=0,
        le=8760,
        description="Hours between two backups that the site makes by itself. 0: none.",
    )
    keep: int = Field(
        7, ge=1, le=1000, description="Backups that are kept; when there are more, the oldest go."
    )


class AccountsConfig(_Section):
    registration: Literal["open", "closed"] = Field(
        "open",
        description="open: anyone may make an account. closed: accounts are made on the command "
        "line alone, by `mediaserver user create`.",
    )
    channels_per_user_max: int = Field(5, ge=1, le=100, description="Channels that a user may own.")
    channels_per_premium_user_max: int = Field(
        10, ge=1, le=1000, description="Channels that a premium user, or an admin, may own."
    )
    admin_totp: Literal["asked", "required"] = Field(
        "asked",
        description="Two-step log-in of admins. asked: reminded until it is on. required: the "
        "admin pages open only with it.",
    )
    documents_keep_days: int = Field(
        30,
        ge=0,
        le=3650,
        description="Days after a verification is decided until the documents that were sent for "
        "it are deleted.",
    )


class MailConfig(_Section):
    smtp_host: str = Field(
        "",
        description="Mail server that takes the site's mail. Empty: mail stays in a mailbox on the "
        "admin pages.",
    )
    smtp_port: int = Field(
        587, ge=1, le=65535, description="Its port: 587 for starttls, 465 for tls."
    )
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls",
        description="How the connection is protected. none: only for a server on this machine.",
    )
    smtp_username: str = Field("", description="Name to log in with. Empty: no log-in.")
    smtp_password: str = Field(
        "", description="Password to log in with; better kept in MEDIASERVER_MAIL__SMTP_PASSWORD."
    )
    sender: str = Field(
        "",
        max_length=200,
        pattern=r"^([^\r\n<>]*<)?[^@\s<>]+@[^@\s<>]+>?$|^$",
        description="From whom the mail is, such as Our Site <noreply@example.org>. Empty: noreply "
        "at the host of site.public_url.",
    )


class WebhooksConfig(_Section):
    allow: tuple[str, ...] = Field(
        (),
        description="Private addresses or networks that outgoing webhooks, those of streamers too, "
        "may reach all the same, such as 192.168.1.20 for a home automation.",
    )


class MoneyConfig(_Section):
    enabled: bool = Field(
        True, description="Whether the site knows money at all: wallets, tips, donations, payouts."
    )
    production: bool = Field(
        False,
        description="true: money is real, and the built-in sandbox, where anybody pays without "
        "paying, is gone.",
    )
    currency: str = Field(
        "USD",
        pattern=r"^[A-Z]{3}$",
        description="The currency of wallets, tips and payouts, such as EUR. It can't be changed "
        "once money was booked.",
    )
    commission_bps: int = Field(
        2200,
        ge=0,
        le=10_000,
        description="What the site keeps of each tip and donation, in hundredths of a percent: "
        "2200 is 22 %.",
    )
    wallet: bool = Field(
        True,
        description="Whether viewers may keep money here and tip from it. false: direct donations "
        "alone.",
    )
    topup_min: str = Field(
        "5", pattern=_AMOUNT, description="Least that can be put into a wallet at once."
    )
    topup_max: str = Field(
        "500", pattern=_AMOUNT, description="Most that can be put into a wallet at once."
    )
    wallet_max: str = Field(
        "2000", pattern=_AMOUNT, description="Most that a wallet holds after a top-up."
    )
    tip_min: str = Field("1", pattern=_AMOUNT, description="Least that a tip may be.")
    donation_min: str = Field("2", pattern=_AMOUNT, description="Least that a donation may be.")
    donation_max: str = Field("5000", pattern=_AMOUNT, description="Most that a donation may be.")
    maturity_days: int = Field(
        14,
        ge=0,
        le=180,
        description="Days until earnings can be withdrawn, in which a payment may still be "
        "charged back.",
    )
    payout_min: str = Field(
        "20", pattern=_AMOUNT, description="Least that a streamer may withdraw at once."
    )
    two_admins_above: str = Field(
        "1000",
        pattern=_AMOUNT,
        description="A payout or correction above this takes a second admin. 0: none does.",
    )
    manual_instructions: str = Field(
        "",
        max_length=2000,
        description="Where to send a bank transfer for a top-up, shown to who chooses that. Empty: "
        "no top-ups by bank transfer.",
    )


class StripeConfig(_Section):
    secret_key: str = Field(
        "",
        description="Secret key of the Stripe account; better kept in "
        "MEDIASERVER_STRIPE__SECRET_KEY. Empty: no Stripe.",
    )
    webhook_secret: str = Field(
        "", description="Signing secret of the webhook endpoint /hooks/stripe."
    )
    api_url: str = Field(
        "", description="Another address of Stripe's API, for tests. Empty: its own."
    )


class MidtransConfig(_Section):
    server_key: str = Field(
        "",
        description="Server key of the Midtrans account; better kept in "
        "MEDIASERVER_MIDTRANS__SERVER_KEY. Empty: no Midtrans.",
    )
    enabled_payments: tuple[str, ...] = Field(
        (),
        description="Ways to pay that are offered, such as credit_card, bca_va, other_qris. Empty: "
        "all of the account.",
    )
    api_url: str = Field(
        "", description="Another address of both Midtrans APIs, for tests. Empty: their own."
    )


class SslcommerzConfig(_Section):
    store_id: str = Field("", description="Store ID at SSLCommerz. Empty: no SSLCommerz.")
    store_password: str = Field(
        "",
        description="Store password; better kept in MEDIASERVER_SSLCOMMERZ__STORE_PASSWORD.",
    )
    api_url: str = Field(
        "", description="Another address of SSLCommerz, for tests. Empty: its own."
    )


class ChatConfig(_Section):
    connections_max: int = Field(
        10_000,
        ge=1,
        le=100_000,
        description="Pages that may be connected to chat at once; further ones see no new lines.",
    )
    connections_per_address_max: int = Field(
        100,
        ge=1,
        le=100_000,
        description="Pages connected to chat from one address (with IPv6, from one /64).",
    )
    keep_days: int = Field(
        365,
        ge=0,
        le=36_500,
        description="Days that the chat and the log of its moderators are kept. 0: for ever.",
    )


class ModerationConfig(_Section):
    strikes_max: int = Field(
        3,
        ge=0,
        le=100,
        description="Warnings after which somebody is banned by itself. 0: never.",
    )
    strike_days: int = Field(90, ge=1, le=3650, description="Days for which a warning counts.")
    strike_ban_days: int = Field(7, ge=1, le=3650, description="Days that such a ban lasts.")
    evidence_keep_days: int = Field(
        90,
        ge=1,
        le=3650,
        description="Days after a decision for which the picture and the chat of a report are "
        "kept.",
    )


class LogConfig(_Section):
    level: Literal["debug", "info", "warning", "error"] = Field(
        "info",
        description="Least serious kind of line that is written.",
    )
    format: Literal["text", "json"] = Field(
        "text",
        description="text for people, json for log collectors.",
    )


class MetricsConfig(_Section):
    allow: tuple[str, ...] = Field(
        ("127.0.0.0/8", "::1/128"),
        description="Addresses or networks that may read /metrics.",
    )


class Config(_Section):
    """All settings. Sections are the tables of config.toml."""

    site: SiteConfig = Field(default_factory=SiteConfig)
    http: HttpConfig = Field(default_factory=HttpConfig)
    rtmp: RtmpConfig = Field(default_factory=RtmpConfig)
    media: MediaConfig = Field(default_factory=MediaConfig)
    storage: StorageConfig = Field(default_factory=StorageConfig)
    database: DatabaseConfig = Field(default_factory=DatabaseConfig)
    backup: BackupConfig = Field(default_factory=BackupConfig)
    accounts: AccountsConfig = Field(default_factory=AccountsConfig)
    mail: MailConfig = Field(default_factory=MailConfig)
    webhooks: WebhooksConfig = Field(default_factory=WebhooksConfig)
    money: MoneyConfig = Field(default_factory=MoneyConfig)
    stripe: StripeConfig = Field(default_factory=StripeConfig)
    midtrans: MidtransConfig = Field(default_factory=MidtransConfig)
    sslcommerz: SslcommerzConfig = Field(default_factory=SslcommerzConfig)
    chat: ChatConfig = Field(default_factory=ChatConfig)
    moderation: ModerationConfig = Field(default_factory=ModerationConfig)
    log: LogConfig = Field(default_factory=LogConfig)
    metrics: MetricsConfig = Field(default_factory=MetricsConfig)

    _environment: frozenset[str] = PrivateAttr(default=frozenset())

    @property
    def environment(self) -> frozenset[str]:
        """The keys that the environment sets, as section.key."""
        return self._environment

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL of the database, with the embedded default filled in."""
        return self.database.url or f"sqlite+aiosqlite:///{self.storage.path / 'mediaserver.db'}"

    @property
    def backup_folder(self) -> Path:
        """Where backups are kept, with the default filled in."""
        return Path(self.backup.folder) if self.backup.folder else self.storage.path / "backups"


def load_config(path: Path | None, environment: Mapping[str, str] | None = None) -> Config:
    """Read `path` (when given; it must exist), then the environment over it.

    Raises `Invalid` with every wrong key named as section.key.
    """
    tables: dict[str, Any] = {}
    if path is not None:
        try:
            # Windows editors put a byte-order mark in front, which TOML knows nothing of.
            tables = tomllib.loads(path.read_text("utf-8-sig"))
        except OSError as error:
            raise Invalid(f"{path}: {error.strerror}", field="config") from error
        except UnicodeDecodeError as error:
            raise Invalid(f"{path}: it must be saved as UTF-8", field="config") from error
        except tomllib.TOMLDecodeError as error:
            raise Invalid(f"{path}: {error}", field="config") from error
    from_environment = set()
    for name, value in (os.environ if environment is None else environment).items():
        section, separator, key = name.removeprefix(ENVIRONMENT_PREFIX).lower().partition("__")
        if not name.startswith(ENVIRONMENT_PREFIX) or not separator:
            continue
        table = tables.setdefault(section, {})
        if not isinstance(table, dict):
            raise Invalid(f"{section} must be a table", field=section)
        table[key] = value.split(",") if _is_tuple(section, key) else value
        from_environment.add(f"{section}.{key}")
    try:
        config = Config.model_validate(tables)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            for problem in error.errors()
        )
        raise Invalid(problems, field="config") from error
    config._environment = frozenset(from_environment)
    return config


def _is_tuple(section: str, key: str) -> bool:
    table = Config.model_fields.get(section)
    fields = getattr(table.annotation, "model_fields", {}) if table else {}
    return key in fields and isinstance(fields[key].default, tuple)
