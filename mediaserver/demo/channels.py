"""The demo's channels: live without an encoder, so that everything can be seen at once.

Two channels of a user that nobody can log in as, with categories, a schedule and followers; each is
fed over RTMP, like any other, by a publisher of our own in a child process (media/testcard.py) and
has a chat that talks by itself (demo/chat.py). All of it stays in the database; keys are made anew
at each start.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import structlog

from mediaserver.accounts.users import User, Users
from mediaserver.channels.channels import Channel, Channels
from mediaserver.channels.follows import Follows
from mediaserver.channels.schedule import Given, Schedule
from mediaserver.channels.stream_keys import StreamKeys
from mediaserver.chat.chat import Chat
from mediaserver.chat.emotes import Emotes
from mediaserver.demo.chat import DemoChat
from mediaserver.demo.gifts import DemoGifts, Till
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.errors import Forbidden, MediaserverError, NotFound
from mediaserver.kernel.ids import new_secret
from mediaserver.kernel.tasks import Tasks

_log = structlog.get_logger(__name__)

_USERNAME = "demo"
_EMAIL_HOST = "@example.invalid"
_EMAIL = f"demo{_EMAIL_HOST}"
_KEY_NAME = "Demo publisher"


@dataclass(frozen=True, slots=True)
class DemoChannel:
    slug: str
    name: str
    title: str
    description: str
    scene: str
    width: int
    height: int
    category: str
    tags: tuple[str, ...]
    announced: str
    announced_in_days: int
    announced_at_hour: int


DEMO_CHANNELS = (
    DemoChannel(
        slug="aurora",
        name="Aurora",
        title="Northern lights, all night",
        description="Slow colours and a quiet chord. The clock in the corner is this server's, "
        "so you can see how far behind live you are.",
        scene="aurora",
        width=1280,
        height=720,
        category="outdoors",
        tags=("aurora", "ambient", "no talking"),
        announced="Northern lights: the hour before dawn",
        announced_in_days=1,
        announced_at_hour=5,
    ),
    DemoChannel(
        slug="ember",
        name="Ember",
        title="By the fire",
        description="A warm picture to leave open in a tab.",
        scene="ember",
        width=854,
        height=480,
        category="music",
        tags=("fireplace", "relaxed"),
        announced="Fresh logs and old records",
        announced_in_days=3,
        announced_at_hour=19,
    ),
)


DEMO_VIEWERS = ("demo_ana", "demo_kofi", "demo_rahim", "demo_tove", "demo_yuki")
"""Accounts that follow the channels and talk; nobody can log in as one of them either."""

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS


class Demo:
    """Makes the channels and keeps their publishers running, until it is left."""

    def __init__(
        self,
        users: Users,
        channels: Channels,
        stream_keys: StreamKeys,
        schedule: Schedule,
        follows: Follows,
        clock: Clock,
        chat: Chat,
        emotes: Emotes,
        rtmp_host: str,
        rtmp_port: int,
        till: Till | None = None,
    ) -> None:
        """`till`: what its people give with; without one they give nothing."""
        self._users = users
        self._channels = channels
        self._stream_keys = stream_keys
        self._schedule = schedule
        self._follows = follows
        self._clock = clock
        self._chat = DemoChat(chat, emotes)
        self._gifts = None if till is None else DemoGifts(till)
        host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "[::1]"}.get(rtmp_host, rtmp_host)  # noqa: S104  # compared, not bound
        self._server_url = f"rtmp://{host}:{rtmp_port}/live"

        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        owner = await self._account(_USERNAME, _EMAIL)
        viewers = [await self._account(name, name + _EMAIL_HOST) for name in DEMO_VIEWERS]
        async with AsyncExitStack() as stack:
            tasks = Tasks("demo")
            stack.push_async_callback(tasks.aclose)
            made = []
            for channel in DEMO_CHANNELS:
                try:
                    key = await self._fresh_key(owner, channel)
                except Forbidden:
                    _log.warning("demo channel left out: its address is taken", slug=channel.slug)
                    continue
                await self._describe(owner, channel)
                await self._announce(owner, channel)
                await self._gather(viewers, channel)
                tasks.start(self._keep_publishing(channel, key), channel.slug)
                made.append(await self._channels.find(channel.slug))
            tasks.start(self._keep_talking(owner, viewers, made), "chat")
            tasks.start(self._keep_giving(owner, viewers, made), "gifts")
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def _keep_talking(
        self, owner: User, viewers: Sequence[User], channels: Sequence[Channel]
    ) -> None:
        # Somebody real may have had one of the names first: no word is put into their mouth.
        people = {user.username: user for user in viewers if user.email.endswith(_EMAIL_HOST)}
        try:
            await self._chat.run(owner, people, channels)
        except MediaserverError as error:
            _log.warning("the demo's chat is silent", reason=error.message)

    async def _keep_giving(
        self, owner: User, viewers: Sequence[User], channels: Sequence[Channel]
    ) -> None:
        # Nobody real is verified, gets test money or gives it.
        if self._gifts is None or not self._gifts.is_possible or owner.email != _EMAIL:
            return
        people = {user.username: user for user in viewers if user.email.endswith(_EMAIL_HOST)}
        try:
            await self._gifts.run(owner, people, channels)
        except MediaserverError as error:
            _log.warning("the demo gives nothing", reason=error.message)

    async def _fresh_key(self, owner: User, channel: DemoChannel) -> str:
        try:
            await self._channels.find(channel.slug)
        except NotFound:
            await self._channels.create(
                owner,
                channel.slug,
                channel.name,
                title=channel.title,
                description=channel.description,
            )
        for old in await self._stream_keys.list_active(owner, channel.slug):
            if old.name == _KEY_NAME:
                await self._stream_keys.revoke(owner, channel.slug, old.id)
        _, key = await self._stream_keys.create(owner, channel.slug, _KEY_NAME)
        return key

    async def _account(self, username: str, email: str) -> User:
        found = await self._users.by_username(username)
        return found or await self._users.create(username, email, new_secret(), is_admin=False)

    async def _describe(self, owner: User, channel: DemoChannel) -> None:
        """Say what it is about, unless an admin has said something else."""
        if (await self._channels.find(channel.slug)).category is None:
            await self._channels.update(
                owner, channel.slug, category=channel.category, tags=channel.tags
            )

    async def _announce(self, owner: User, channel: DemoChannel) -> None:
        """A weekly entry, unless there is something in the schedule."""
        found = await self._channels.find(channel.slug)
        if await self._schedule.entries(found.id):
            return
        now_ms = self._clock.wall_ms()
        midnight_ms = now_ms - now_ms % _DAY_MS + channel.announced_in_days * _DAY_MS
        await self._schedule.create(
            owner,
            channel.slug,
            Given(
                title=channel.announced,
                category=channel.category,
                starts_at_ms=midnight_ms + channel.announced_at_hour * _HOUR_MS,
                duration_min=120,
                repeat="weekly",
            ),
        )

    async def _gather(self, viewers: Sequence[User], channel: DemoChannel) -> None:
        found = await self._channels.find(channel.slug)
        for viewer in viewers:
            if not await self._follows.is_following(viewer, found.id):
                await self._follows.follow(viewer, channel.slug)

    async def _keep_publishing(self, channel: DemoChannel, key: str) -> None:
        """Run the publisher, and again when it ends: as a streamer would press the button."""
        while True:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "mediaserver.media.testcard", "-"),
                *("--scene", channel.scene),
                *("--width", str(channel.width), "--height", str(channel.height)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
            try:
                assert process.stdin is not None
                process.stdin.write(f"{self._server_url}/{key}\n".encode())
                await process.stdin.drain()
                status = await process.wait()
                _log.warning("demo publisher ended", channel=channel.slug, status=status)
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
            await asyncio.sleep(limits.DEMO_RESTART_S)
