"""The whole site as one async context manager: each part in the order in which it is started."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import AsyncExitStack
from functools import partial
from types import TracebackType
from typing import Self

import structlog
from aiohttp import web
from sqlalchemy import text

from mediaserver.admin.doctor.network import Listening
from mediaserver.channels.publish_gate import StreamKeyGate
from mediaserver.channels.stream_recorder import StreamRecorder
from mediaserver.demo import Demo, Till
from mediaserver.kernel import limits
from mediaserver.kernel.config import Config
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Unavailable
from mediaserver.kernel.metrics import RealtimeMetrics
from mediaserver.routes import control, keys
from mediaserver.routes.app import add_health, make_app
from mediaserver.routes.health import Check, Health
from mediaserver.routes.live_gates import LiveGates
from mediaserver.routes.operator_commands import commands_of
from mediaserver.server import features, money
from mediaserver.server.foundations import Foundations, lay
from mediaserver.server.listening import listen, listen_control, tls_context, url_of
from mediaserver.server.media_path import LateRegistry, MediaPath, OpenMedia, open_media

_log = structlog.get_logger(__name__)


class Server:
    """Entering raises `Invalid` for settings that can't work and `Unavailable` for ports in use, a
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
        config = self._config
        tls = tls_context(config)
        base = await lay(stack, config, lambda: self.url)
        db, clock, events = base.db, base.clock, base.events
        app = make_app(config, clock)

        await features.add_people(base, app)
        await features.add_webhooks(base, app)
        await features.add_channels(base, app)
        registry = LateRegistry()
        await stack.enter_async_context(StreamRecorder(db, clock, events, registry))
        evidence = await features.add_trust(base, app, registry)
        await features.add_chat(base, app)
        await money.add_money(base, app)
        await money.add_memberships(base, app)
        await features.add_admin(base, app)
        features.add_personal_data(base, app)

        gate = StreamKeyGate(db, base.accounts.throttles, events, clock)
        media = await stack.enter_async_context(self._open_media(config, gate, events, clock, tls))
        registry.registry = media.broadcasts
        self.rtmp_port = media.rtmp_port
        await features.add_live(base, app, media, evidence)
        await stack.enter_async_context(base.jobs)

        metrics = RealtimeMetrics()
        await features.add_realtime(base, app, media, metrics)
        gates = LiveGates(app[keys.CHANNELS], media.broadcasts, app[keys.GATE_TICKETS], events)
        app.add_routes(gates.guard(media.routes))
        health = Health(_checks(base, media))
        add_health(app, config, health, lambda: media.render_metrics() + metrics.render())

        await self._listen_control(base, app)
        self.http_port = await listen(stack, config, app, tls)
        app[keys.DOCTOR].listening = Listening(self.http_port, self.rtmp_port)
        stack.callback(media.close_viewers)
        self.url = url_of(config, self.http_port)
        token = await base.accounts.setup.open()
        self.setup_url = f"{self.url}/setup?token={token}" if token else None
        health.is_listening = True
        if self._demo:
            await stack.enter_async_context(_demo(base, app, media))
        _log.info("listening", http_port=self.http_port, rtmp_port=self.rtmp_port)

    async def _listen_control(self, base: Foundations, app: web.Application) -> None:
        """For the command line: the doctor asks here, and all else while SQLite lets nobody in."""
        if not control.is_supported:
            return
        commands = commands_of(app[keys.BACKUPS], app[keys.DOCTOR])
        control_app = control.make_control_app(base.accounts.users, app[keys.CHANNELS], commands)
        await listen_control(base.stack, base.config, control_app)


def _demo(base: Foundations, app: web.Application, media: MediaPath) -> Demo:
    return Demo(
        base.accounts.users,
        app[keys.CHANNELS],
        app[keys.STREAM_KEYS],
        app[keys.SCHEDULE],
        app[keys.FOLLOWS],
        base.clock,
        app[keys.CHAT],
        app[keys.EMOTES],
        base.config.rtmp.host,
        media.rtmp_port,
        Till(
            base.db,
            base.config.money,
            app[keys.TOPUPS],
            app[keys.DONATIONS],
            app[keys.TIPS],
            app[keys.SANDBOX],
            app[keys.ALERTS],
            app[keys.PLANS],
            app[keys.SUBSCRIPTIONS],
        ),
    )


def _checks(base: Foundations, media: MediaPath) -> dict[str, Check]:
    """What must work for this process to get requests."""
    return {
        "database": partial(_check_database, base.db),
        "storage": partial(_check_storage, base.config),
        "engine": partial(_check_media, media),
    }


async def _check_database(db: Database) -> None:
    await db.write(lambda tx: tx.execute(text("SELECT 1")))


async def _check_storage(config: Config) -> None:
    usage = await asyncio.to_thread(shutil.disk_usage, config.storage.path)
    if usage.free < limits.STORAGE_FREE_BYTES_MIN:
        raise Unavailable(f"only {usage.free // (1024 * 1024)} MiB are free")


async def _check_media(media: MediaPath) -> None:
    if media.rtmp_port == 0:
        raise Unavailable("encoders can't connect")
