"""The composition root: makes every part, starts them in reading order, stops them in reverse."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import structlog
from aiohttp import web
from sqlalchemy import text

import mediaserver
from mediaserver.accounts.accounts import Accounts
from mediaserver.accounts.avatars import Avatars
from mediaserver.accounts.passwords import Passwords
from mediaserver.accounts.personal_data import PersonalData, Source
from mediaserver.accounts.throttles import Throttles
from mediaserver.accounts.users import Users
from mediaserver.admin.audit_log import AuditLog
from mediaserver.admin.backups import Backups
from mediaserver.admin.deferred import Deferred
from mediaserver.admin.doctor.doctor import Doctor
from mediaserver.admin.doctor.network import Listening
from mediaserver.admin.figures import Figures
from mediaserver.admin.live_control import LiveControl
from mediaserver.admin.overview import DEAD_JOBS, DEAD_MAIL, Overview, Queue
from mediaserver.admin.statistics import Statistics
from mediaserver.admin.storage_use import StorageMeter
from mediaserver.channels import deletion
from mediaserver.channels import policies as policies_of_people
from mediaserver.channels import verifications as verifications_of_people
from mediaserver.channels.back_soon import BackSoon
from mediaserver.channels.categories import Categories
from mediaserver.channels.category_changes import CategoryChanges
from mediaserver.channels.channels import Channels
from mediaserver.channels.deletion import Deletion
from mediaserver.channels.display_tokens import DisplayTokens
from mediaserver.channels.documents import JOB as DELETE_DOCUMENTS
from mediaserver.channels.documents import Documents
from mediaserver.channels.follows import Follows
from mediaserver.channels.policies import Policies
from mediaserver.channels.publish_gate import StreamKeyGate
from mediaserver.channels.schedule import Schedule
from mediaserver.channels.schedule_clock import ScheduleClock
from mediaserver.channels.stream_keys import StreamKeys
from mediaserver.channels.stream_recorder import StreamRecorder
from mediaserver.channels.streams import Streams
from mediaserver.channels.verifications import Verifications
from mediaserver.chat import personal
from mediaserver.chat.chat import Chat
from mediaserver.chat.emotes import Emotes
from mediaserver.chat.retention import Retention
from mediaserver.demo import Demo
from mediaserver.kernel import limits, mail
from mediaserver.kernel.addresses import AddressList
from mediaserver.kernel.clock import Clock, SystemClock
from mediaserver.kernel.config import Config
from mediaserver.kernel.db import Database
from mediaserver.kernel.db.lock import DatabaseInUse
from mediaserver.kernel.errors import Invalid, Unavailable
from mediaserver.kernel.events import Events
from mediaserver.kernel.images import ImageFolder, Images
from mediaserver.kernel.jobs import Jobs
from mediaserver.kernel.mail import Letterhead, Mailbox, Smtp
from mediaserver.kernel.metrics import Metrics, RealtimeMetrics
from mediaserver.kernel.outbound import Outbound
from mediaserver.kernel.settings import Settings
from mediaserver.kernel.vault import Vault
from mediaserver.media.engine import Engine
from mediaserver.media.gate import PublishGate
from mediaserver.moderation.desk import Desk
from mediaserver.notifications import notices
from mediaserver.notifications.log_ins import LogIns
from mediaserver.notifications.notices import Notices
from mediaserver.realtime import asyncapi
from mediaserver.realtime.realtime import Realtime
from mediaserver.realtime.site import Site
from mediaserver.routes import control, keys
from mediaserver.routes.api.live import LiveOut, live_out
from mediaserver.routes.app import make_app
from mediaserver.routes.gate_tickets import Tickets
from mediaserver.routes.health import Health
from mediaserver.routes.hls import hls_routes
from mediaserver.routes.http_server import HttpRunner
from mediaserver.routes.instant import close_viewers, instant_routes
from mediaserver.routes.live_gates import LiveGates
from mediaserver.routes.live_view import LiveStreams, StreamHealth
from mediaserver.routes.middlewares import is_foreign, user_of_session
from mediaserver.routes.operator_commands import commands_of
from mediaserver.teams import personal as teams_of_people
from mediaserver.teams.invitations import Invitations
from mediaserver.teams.teams import Teams
from mediaserver.trust import appeals, bans, reports
from mediaserver.trust import sanctions as sanctions_of_people
from mediaserver.trust.appeals import Appeals
from mediaserver.trust.cases import Cases
from mediaserver.trust.reports import Reports
from mediaserver.trust.sanctions import Sanctions
from mediaserver.webhooks import deliveries, webhooks
from mediaserver.webhooks.feed import Feed
from mediaserver.webhooks.sender import Sender
from mediaserver.webhooks.webhooks import Webhooks

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class MediaPath:
    """The media engine as the site sees it."""

    broadcasts: LiveStreams
    rtmp_port: int
    routes: Sequence[web.RouteDef]
    render_metrics: Callable[[], bytes]
    health: StreamHealth
    thumbnail: Callable[[str], bytes | None] = lambda _: None
    """The newest picture of a channel's live stream, as a JPEG."""
    close_viewers: Callable[[], None] = lambda: None
    """Ends the connections that would otherwise stay open while the web server stops."""


PERSONAL_DATA: tuple[Source, ...] = (
    Source("notices", notices.export),
    Source("policies", policies_of_people.export),
    Source("webhooks", webhooks.export),
    Source("sanctions", sanctions_of_people.export),
    Source("reports", reports.export, reports.erase),
    Source("appeals", appeals.export),
    Source("chat", personal.export, personal.erase),
    Source("teams", teams_of_people.export, teams_of_people.erase),
    Source("channels", deletion.export, deletion.erase),
)
"""What features know about people, in the order in which it goes with an account."""

VERIFICATIONS_WAITING = Queue(
    "verification",
    "streamer asks to be verified",
    "streamers ask to be verified",
    "/admin/verification",
    verifications_of_people.count_submitted,
)

REPORTS_WAITING = Queue(
    "reports", "report waits", "reports wait", "/admin/reports", reports.count_new
)
APPEALS_WAITING = Queue(
    "appeals", "appeal waits", "appeals wait", "/admin/reports/appeals", appeals.count_open
)

QUEUES: tuple[Queue, ...] = (
    REPORTS_WAITING,
    APPEALS_WAITING,
    VERIFICATIONS_WAITING,
    DEAD_MAIL,
    DEAD_JOBS,
)
"""What may wait for an admin, in the order in which the overview shows it."""


OpenMedia = Callable[
    [Config, PublishGate, Events, Clock, ssl.SSLContext | None],
    AbstractAsyncContextManager[MediaPath],
]


@asynccontextmanager
async def open_media(
    config: Config,
    gate: PublishGate,
    events: Events,
    clock: Clock,
    tls: ssl.SSLContext | None,
) -> AsyncIterator[MediaPath]:
    """Start the media engine."""
    metrics = Metrics()
    engine = Engine(config, gate, events, clock, metrics, tls=tls)
    try:
        await engine.__aenter__()
    except OSError as error:
        raise Unavailable(
            f"Encoders can't connect to {config.rtmp.host} port {config.rtmp.port}: "
            f"{error.strerror or error}. Set another port in config.toml or with --rtmp-port."
        ) from error
    admission = engine.broadcasts.admission
    try:
        yield MediaPath(
            engine.broadcasts,
            engine.rtmp_port,
            [
                *instant_routes(engine.origin, admission, clock),
                *hls_routes(
                    engine.origin, admission, engine.thumbnails, metrics, engine.health.report
                ),
            ],
            metrics.render,
            engine.health,
            engine.thumbnails.jpeg,
            lambda: close_viewers(engine.origin.all()),
        )
    finally:
        await engine.__aexit__(None, None, None)


class Server:
    """The whole site as one async context manager.

    Entering raises `Invalid` for settings that can't work and `Unavailable` for ports in use, a
    locked database and the like; nothing is left running then.
    """

    def __init__(
        self, config: Config, *, demo: bool = False, open_media: OpenMedia = open_media
    ) -> None:
        self._config = config
        self._demo = demo
        self._open_media = open_media

        self._stack = AsyncExitStack()
        self.http_port = 0
        self.rtmp_port = 0
        self.url = ""
        self.setup_url: str | None = None

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()
        _log.info("stopped")

    async def _start(self, stack: AsyncExitStack) -> None:
        config, clock, events = self._config, SystemClock(), Events()
        tls = _tls_context(config)
        _make_storage(config)

        db = await stack.enter_async_context(Database(config.database_url, events))
        settings = await Settings.open(db, clock, config)
        vault = Vault.open(config.storage.path, config.storage.master_key)
        letterhead = Letterhead(lambda: config.site.name, lambda: self.url, vault.mac)
        accounts = await Accounts.open(db, clock, vault, letterhead, config.accounts)
        stack.push_async_callback(accounts.aclose)
        users, throttles = accounts.users, accounts.throttles
        mailbox, told = Mailbox(db, clock), Notices(db, clock)
        smtp = Smtp(config.mail, _sender(config), clock)
        jobs = Jobs(db, clock, events)
        jobs.register(
            mail.JOB,
            mail.handler(smtp if config.mail.smtp_host else mailbox),
            keeps_payload=False,
        )
        outbound = await stack.enter_async_context(_outbound(config))
        hooks = Webhooks(db, clock, vault, outbound)
        sender = Sender(db, clock, vault, outbound, throttles, letterhead)
        jobs.register(deliveries.JOB, sender.handle)
        await stack.enter_async_context(Feed(db, clock, events, letterhead))
        await stack.enter_async_context(LogIns(db, events, letterhead))
        for name, delete in (
            ("delete-expired-accounts", accounts.delete_expired),
            ("delete-ended-jobs", jobs.delete_ended),
            ("delete-old-mail", mailbox.delete_old),
            ("delete-old-notices", told.delete_old),
            ("delete-old-deliveries", sender.delete_old),
        ):
            jobs.repeat(name, delete, limits.HOUSEKEEPING_INTERVAL_MS)
        policies = Policies(db, clock)
        await policies.begin()
        backups = Backups(db, clock, config, letterhead)
        stack.push_async_callback(backups.aclose)
        doctor = Doctor(config, clock, smtp.check)
        jobs.repeat("look-at-backups", backups.look, limits.HOUSEKEEPING_INTERVAL_MS)
        channels = Channels(db, clock, config.accounts)
        teams = Teams(db, clock, letterhead)
        stream_keys = StreamKeys(db, clock)
        follows = Follows(db, clock, throttles)
        schedule = Schedule(db, clock)

        gate = StreamKeyGate(db, throttles, events, clock)
        broadcasts = _Broadcasts()
        await stack.enter_async_context(StreamRecorder(db, clock, events, broadcasts))
        sanctions = await stack.enter_async_context(
            Sanctions(db, clock, events, letterhead, config.moderation, broadcasts)
        )
        jobs.register(bans.LIFT, sanctions.lift_due)
        pictures_of_reports = ImageFolder(config.storage.path / "evidence", reports.PREFIX, ".jpg")
        cases = Cases(db, clock, letterhead, config.moderation, pictures_of_reports)
        await cases.remove_leftovers()
        jobs.repeat(
            "delete-old-evidence", cases.delete_old_evidence, limits.HOUSEKEEPING_INTERVAL_MS
        )
        chat = await stack.enter_async_context(Chat(db, clock))
        jobs.repeat(
            "delete-old-chat",
            Retention(db, clock, config.chat).delete_old,
            limits.HOUSEKEEPING_INTERVAL_MS,
        )
        images, pictures = Images(), config.storage.path / "images"
        avatars = Avatars(db, accounts.profiles, throttles, images, pictures / "avatars")
        await stack.enter_async_context(avatars)
        emotes = Emotes(db, clock, chat, throttles, images, pictures / "emotes")
        await stack.enter_async_context(emotes)
        back_soon = BackSoon(db, clock, throttles, images, pictures / "back-soon")
        await stack.enter_async_context(back_soon)
        documents = Documents(
            db, clock, vault, throttles, images, config.storage.path / "documents"
        )
        await stack.enter_async_context(documents)
        jobs.register(DELETE_DOCUMENTS, documents.delete_files)
        verifications = Verifications(db, clock, vault, throttles, letterhead, config.accounts)
        for name, delete in (
            ("delete-unsent-documents", documents.delete_unsent),
            ("delete-due-documents", verifications.delete_due_documents),
        ):
            jobs.repeat(name, delete, limits.HOUSEKEEPING_INTERVAL_MS)
        media = await stack.enter_async_context(self._open_media(config, gate, events, clock, tls))
        broadcasts.registry = media.broadcasts
        streams = Streams(db, clock, media.broadcasts)
        self.rtmp_port = media.rtmp_port

        figures = Figures(db, clock, events, partial(_count_all_viewers, media.broadcasts))
        await stack.enter_async_context(figures)
        jobs.repeat("daily-figures", figures.write, limits.FIGURES_WRITTEN_MS)
        await stack.enter_async_context(ScheduleClock(db, clock))
        await stack.enter_async_context(jobs)

        realtime_metrics = RealtimeMetrics()
        display_tokens = DisplayTokens(db, clock)
        realtime = Realtime(
            config.chat,
            Site(
                is_foreign=is_foreign,
                user_of_session=user_of_session,
                describe_live=partial(live_out, live=media.broadcasts, for_owner=False),
                count_viewers=partial(_count_viewers, media.broadcasts),
                take_report=media.health.report,
                current_health=media.health.current,
                health_history=media.health.history,
            ),
            tickets=accounts.tickets,
            display_tokens=display_tokens,
            users=users,
            channels=channels,
            follows=follows,
            chat=chat,
            events=events,
            clock=clock,
            metrics=realtime_metrics,
        )
        await stack.enter_async_context(realtime)

        tickets = Tickets(vault, clock)
        gates = LiveGates(channels, media.broadcasts, tickets, events)
        health = Health(
            {
                "database": partial(_check_database, db),
                "storage": partial(_check_storage, config),
                "engine": partial(_check_media, media),
            }
        )
        app = make_app(
            config=config,
            clock=clock,
            health=health,
            render_metrics=lambda: media.render_metrics() + realtime_metrics.render(),
            more_routes=(*gates.guard(media.routes), *realtime.routes),
        )
        app[keys.SETTINGS] = settings
        app[keys.ACCOUNTS] = accounts
        app[keys.AVATARS] = avatars
        app[keys.PERSONAL_DATA] = PersonalData(
            db,
            clock,
            letterhead,
            (
                Source("verification", verifications.export, verifications_of_people.erase),
                *PERSONAL_DATA,
            ),
        )
        app[keys.BACKUPS] = backups
        app[keys.DOCTOR] = doctor
        app[keys.DELETION] = Deletion(db, clock)
        app[keys.GATE_TICKETS] = tickets
        app[keys.LETTERHEAD] = letterhead
        app[keys.NOTICES] = told
        app[keys.POLICIES] = policies
        app[keys.DOCUMENTS] = documents
        app[keys.VERIFICATIONS] = verifications
        app[keys.JOBS] = jobs
        app[keys.MAILBOX] = mailbox
        app[keys.AUDIT_LOG] = AuditLog(db, clock)
        app[keys.DEFERRED] = Deferred(db, clock, letterhead)
        app[keys.LIVE_CONTROL] = LiveControl(db, clock, letterhead, media.broadcasts)
        app[keys.STATISTICS] = Statistics(db, clock)
        app[keys.OVERVIEW] = Overview(db, clock, QUEUES)
        app[keys.STORAGE_METER] = StorageMeter(db, clock, config.storage.path)
        app[keys.WEBHOOKS] = hooks
        app[keys.WEBHOOK_SENDER] = sender
        app[keys.SANCTIONS] = sanctions
        app[keys.CASES] = cases
        app[keys.APPEALS] = Appeals(db, clock, letterhead)
        app[keys.REPORTS] = Reports(
            db,
            clock,
            throttles,
            letterhead,
            media.broadcasts,
            media.thumbnail,
            pictures_of_reports,
        )
        app[keys.TEAMS] = teams
        app[keys.INVITATIONS] = Invitations(db, clock, throttles, teams)
        app[keys.CHANNELS] = channels
        app[keys.BACK_SOON] = back_soon
        app[keys.CATEGORIES] = Categories(db)
        app[keys.CATEGORY_CHANGES] = CategoryChanges(db, clock)
        app[keys.FOLLOWS] = follows
        app[keys.SCHEDULE] = schedule
        app[keys.STREAM_KEYS] = stream_keys
        app[keys.STREAMS] = streams
        app[keys.CHAT] = chat
        app[keys.DISPLAY_TOKENS] = display_tokens
        app[keys.DESK] = Desk(db, clock)
        app[keys.EMOTES] = emotes
        app[keys.LIVE] = media.broadcasts
        app[keys.STREAM_HEALTH] = media.health
        app[keys.RTMP_PORT] = media.rtmp_port
        app[keys.ASYNCAPI] = asyncapi.document(config.site.name, LiveOut)
        app.on_shutdown.append(lambda _: realtime.say_goodbye())
        if db.is_sqlite and control.is_supported:
            await _listen_control(
                stack,
                config,
                control.make_control_app(users, channels, commands_of(backups, doctor)),
            )
        self.http_port = await _listen(stack, config, app, tls)
        doctor.listening = Listening(self.http_port, self.rtmp_port)
        stack.callback(media.close_viewers)
        self.url = _url(config, self.http_port)
        token = await accounts.setup.open()
        self.setup_url = f"{self.url}/setup?token={token}" if token else None
        health.is_listening = True
        if self._demo:
            demo = Demo(
                users,
                channels,
                stream_keys,
                schedule,
                follows,
                clock,
                chat,
                emotes,
                config.rtmp.host,
                media.rtmp_port,
            )
            await stack.enter_async_context(demo)
        _log.info("listening", http_port=self.http_port, rtmp_port=self.rtmp_port)


class _Broadcasts:
    """The engine's registry for the recorder, which is there first: it must miss no event."""

    registry: LiveStreams | None = None

    def status(self, channel: str) -> Any:
        return None if self.registry is None else self.registry.status(channel)

    def start(self, channel: str) -> bool:
        return self.registry is not None and self.registry.start(channel)

    def stop(self, channel: str, reason: str) -> bool:
        return self.registry is not None and self.registry.stop(channel, reason)

    def withdraw(self, channel: str, reason: str) -> bool:
        return self.registry is not None and self.registry.withdraw(channel, reason)


async def run_command(config: Config, command: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """Do what the command line asks: here, or in the running site when it holds the database."""
    _make_storage(config)
    clock = SystemClock()
    try:
        async with AsyncExitStack() as stack:
            db = await stack.enter_async_context(Database(config.database_url, Events()))
            passwords = Passwords()
            stack.push_async_callback(passwords.aclose)
            users = Users(db, clock, passwords, Throttles(db, clock))
            channels = Channels(db, clock, config.accounts)
            return await control.run(users, channels, command, wanted)
    except DatabaseInUse:
        return await control.ask(config.storage.path, command, wanted)


async def _listen(
    stack: AsyncExitStack, config: Config, app: web.Application, tls: ssl.SSLContext | None
) -> int:
    """Open the web port; the port it got."""
    runner = HttpRunner(
        app,
        access_log=None,
        shutdown_timeout=limits.SERVER_STOP_TIMEOUT_S,
        keepalive_timeout=limits.HTTP_KEEPALIVE_S,
    )
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, config.http.host, config.http.port, ssl_context=tls)
    try:
        await site.start()
    except OSError as error:
        raise Unavailable(
            f"The web can't listen on {config.http.host} port {config.http.port}: "
            f"{error.strerror or error}. Set another port in config.toml or with --http-port."
        ) from error
    return int(runner.addresses[0][1])


async def _listen_control(stack: AsyncExitStack, config: Config, app: web.Application) -> None:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=limits.SERVER_STOP_TIMEOUT_S)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    path = stack.enter_context(control.socket_path(config.storage.path, make=True))
    await web.UnixSite(runner, path).start()


def _tls_context(config: Config) -> ssl.SSLContext | None:
    if not config.http.tls_certificate:
        if config.rtmp.tls_port >= 0:
            raise Invalid(
                "RTMPS needs a certificate: set tls_certificate and tls_key in [http].",
                field="rtmp.tls_port",
            )
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(config.http.tls_certificate, config.http.tls_key or None)
    except (OSError, ssl.SSLError) as error:
        raise Invalid(
            f"The certificate can't be used: {error.strerror or error}",
            field="http.tls_certificate",
        ) from error
    return context


def _make_storage(config: Config) -> None:
    try:
        config.storage.path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise Unavailable(
            f"The storage folder {config.storage.path} can't be made: {error.strerror}"
        ) from error


def _url(config: Config, port: int) -> str:
    """The address to print: the public one, or this machine's."""
    if config.site.public_url:
        return config.site.public_url
    scheme = "https" if config.http.tls_certificate else "http"
    host = config.http.host
    if host in ("0.0.0.0", "::", "", "127.0.0.1", "::1"):  # noqa: S104  # compared, not bound
        host = "localhost" if host != "::1" else "[::1]"
    elif ":" in host:
        host = f"[{host}]"
    is_default = port == (443 if scheme == "https" else 80)
    return f"{scheme}://{host}" if is_default else f"{scheme}://{host}:{port}"


def _outbound(config: Config) -> Outbound:
    """The client for addresses that people have typed. Raises `Invalid` for a wrong setting."""
    try:
        allowed = AddressList(config.webhooks.allow)
    except ValueError as error:
        raise Invalid(f"webhooks.allow: {error}", field="webhooks.allow") from error
    return Outbound(allowed, user_agent=f"mediaserver/{mediaserver.__version__}")


def _sender(config: Config) -> str:
    """From whom the site's mail is."""
    if config.mail.sender:
        return config.mail.sender
    host = urlsplit(config.site.public_url).hostname or "localhost.localdomain"
    return f"noreply@{host}"


def _count_viewers(live: LiveStreams, channel: str) -> int:
    status = live.status(channel)
    return status.viewers if status is not None and status.is_public else 0


def _count_all_viewers(live: LiveStreams) -> int:
    return sum(status.viewers for status in live.all() if status.is_public)


async def _check_database(db: Database) -> None:
    await db.write(lambda tx: tx.execute(text("SELECT 1")))


async def _check_storage(config: Config) -> None:
    usage = await asyncio.to_thread(shutil.disk_usage, config.storage.path)
    if usage.free < limits.STORAGE_FREE_BYTES_MIN:
        raise Unavailable(f"only {usage.free // (1024 * 1024)} MiB are free")


async def _check_media(media: MediaPath) -> None:
    if media.rtmp_port == 0:
        raise Unavailable("encoders can't connect")
