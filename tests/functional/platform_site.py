"""A real site for functional tests: own storage, free ports, and people who use it over HTTP."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import Config
from mediaserver.kernel.events import Events
from mediaserver.media.audience import ViewerReport
from mediaserver.media.gate import PublishGate
from mediaserver.media.health import Health
from mediaserver.server import MediaPath, Server
from tests.mailbox import Mailbox

PASSWORD = "correct horse battery"


@dataclass
class FakeStatus:
    """What the engine tells of a live stream."""

    channel: str
    state: str = "live"
    broadcast_id: str = "brc_1"
    session: str = "secret-session"
    is_public: bool = True
    dvr_window_s: int = 0
    is_full: bool = False
    started_at_ms: int = 1_700_000_000_000
    viewers: int = 3
    video_codec: str | None = "avc1.64001f"
    audio_codec: str | None = "mp4a.40.2"
    width: int | None = 1280
    height: int | None = 720
    has_instant_room: bool = True
    warning: str | None = "Keyframes are too far apart."


@dataclass
class FakeBroadcasts:
    """An engine's registry that a test fills by hand."""

    statuses: list[FakeStatus] = field(default_factory=list)
    stopped: list[tuple[str, str]] = field(default_factory=list)

    def status(self, channel: str) -> FakeStatus | None:
        return next((one for one in self.statuses if one.channel == channel), None)

    def all(self) -> Sequence[FakeStatus]:
        return self.statuses

    def start(self, channel: str) -> bool:
        status = self.status(channel)
        return status is not None and not status.is_public

    def stop(self, channel: str, reason: str) -> bool:
        self.stopped.append((channel, reason))
        return self.status(channel) is not None

    def withdraw(self, channel: str, reason: str) -> bool:
        return self.stop(channel, reason)


@dataclass
class FakeHealth:
    """Measurements that a test fills by hand."""

    points: dict[str, list[Health]] = field(default_factory=dict)
    reports: list[tuple[str, str, ViewerReport]] = field(default_factory=list)

    def current(self, channel: str) -> Health | None:
        points = self.points.get(channel)
        return points[-1] if points else None

    def history(self, channel: str) -> list[Health]:
        return self.points.get(channel, [])

    def report(self, channel: str, viewer: str, report: ViewerReport) -> None:
        self.reports.append((channel, viewer, report))


@dataclass
class FakeMedia:
    """Stands in for the engine: `gate` and `events` are what the server handed to it."""

    broadcasts: FakeBroadcasts = field(default_factory=FakeBroadcasts)
    health: FakeHealth = field(default_factory=FakeHealth)
    thumbnails: dict[str, bytes] = field(default_factory=dict)
    gate: PublishGate | None = None
    events: Events | None = None

    @asynccontextmanager
    async def open(
        self, config: Config, gate: PublishGate, events: Events, clock: Clock, tls: object
    ) -> AsyncIterator[MediaPath]:
        self.gate, self.events = gate, events
        yield MediaPath(
            self.broadcasts,
            1935,
            (),
            lambda: b"mediaserver_up 1\n",
            self.health,
            self.thumbnails.get,
        )


def settings(tmp_path: Path, **sections: dict[str, Any]) -> Config:
    return Config.model_validate(
        {
            "storage": {"path": tmp_path / "storage"},
            **sections,
            "http": {"host": "127.0.0.1", "port": 0, **sections.get("http", {})},
            "rtmp": {"host": "127.0.0.1", "port": 0, **sections.get("rtmp", {})},
        }
    )


class Person:
    """A browser (cookies, same-origin headers) or, with `token`, a program."""

    def __init__(self, base: URL, http: aiohttp.ClientSession, mailbox: Mailbox) -> None:
        self.base = base
        self.http = http
        self.mailbox = mailbox
        self.token: str | None = None
        self.username = ""

    async def get(self, path: str, **options: Any) -> tuple[int, str, aiohttp.ClientResponse]:
        return await self.request("GET", path, **options)

    async def post(
        self, path: str, form: dict[str, str] | None = None, **options: Any
    ) -> tuple[int, str, aiohttp.ClientResponse]:
        headers = {"Sec-Fetch-Site": "same-origin", **options.pop("headers", {})}
        return await self.request("POST", path, data=form or {}, headers=headers, **options)

    async def api(
        self, method: str, path: str, body: Any = None, **options: Any
    ) -> tuple[int, Any]:
        headers = options.pop("headers", {})
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        if body is not None:
            options["json"] = body
        async with self.http.request(
            method, self.base.join(URL("/api/v1" + path)), headers=headers, **options
        ) as response:
            return response.status, await response.json() if response.status != 204 else None

    async def request(
        self, method: str, path: str, **options: Any
    ) -> tuple[int, str, aiohttp.ClientResponse]:
        options.setdefault("allow_redirects", False)
        url = self.base.join(URL(path, encoded=True))
        async with self.http.request(method, url, **options) as response:
            return response.status, await response.text(), response

    async def register(self, username: str) -> None:
        """Make an account, with the code that is mailed; logged in as a browser."""
        email = f"{username}@example.org"
        status, text, _ = await self.post(
            "/register", {"username": username, "email": email, "password": PASSWORD}
        )
        assert status == 303, text
        letter = await self.mailbox.letter(email)
        status, text, _ = await self.post("/register/code", {"code": letter.code})
        assert status == 303, text
        self.username = username

    async def accept_policies(self) -> None:
        """What everybody does before their first channel."""
        _, answer = await self.api("GET", "/policies")
        accepted = [policy["id"] for policy in answer["policies"]]
        status, answer = await self.api("PUT", "/me/streamer", {"accepted": accepted})
        assert status == 200, answer

    async def make_channel(self, slug: str, **more: Any) -> Any:
        """A channel of one's own, with the policies accepted; what the API says of it."""
        await self.accept_policies()
        status, answer = await self.api("POST", "/channels", {"slug": slug, **more})
        assert status == 201, answer
        return answer

    async def log_in_as_program(self, username: str, password: str = PASSWORD) -> dict[str, Any]:
        status, answer = await self.api(
            "POST", "/auth/login", {"username": username, "password": password}
        )
        assert status == 200, answer
        self.token = answer["access_token"]
        return dict(answer)


@dataclass
class Site:
    """A running server and its engine's stand-in."""

    server: Server
    media: FakeMedia
    sessions: list[aiohttp.ClientSession]
    mailbox: Mailbox

    @property
    def base(self) -> URL:
        return URL(f"http://127.0.0.1:{self.server.http_port}")

    def person(self) -> Person:
        """Somebody new, with an empty cookie jar."""
        http = aiohttp.ClientSession(
            cookie_jar=aiohttp.CookieJar(unsafe=True),
            timeout=aiohttp.ClientTimeout(total=20),
        )
        self.sessions.append(http)
        return Person(self.base, http, self.mailbox)

    async def member(self, name: str) -> Person:
        """Somebody with an account, logged in in a browser and as a program."""
        person = self.person()
        await person.register(name)
        await person.log_in_as_program(name)
        return person

    async def streamer(self, name: str = "alice") -> Person:
        """A member with a channel of the same name."""
        person = await self.member(name)
        await person.make_channel(name)
        return person

    @property
    def setup_token(self) -> str:
        assert self.server.setup_url is not None
        match = re.search(r"token=([\w-]+)$", self.server.setup_url)
        assert match is not None
        return match[1]


async def admin_of(site: Site) -> Person:
    """Who sets the site up: boss, logged in in a browser and as a program, both just now."""
    person = site.person()
    status, text, _ = await person.post(
        "/setup",
        {
            "token": site.setup_token,
            "username": "boss",
            "email": "boss@example.org",
            "password": PASSWORD,
            "channel_name": "The Boss",
            "channel_slug": "boss-tv",
        },
    )
    assert status in (200, 303), text
    person.username = "boss"
    await person.log_in_as_program("boss")
    return person


@asynccontextmanager
async def running_site(tmp_path: Path, **sections: dict[str, Any]) -> AsyncIterator[Site]:
    media = FakeMedia()
    async with Server(settings(tmp_path, **sections), open_media=media.open) as server:
        site = Site(server, media, [], Mailbox(tmp_path / "storage"))
        try:
            yield site
        finally:
            for http in site.sessions:
                await http.close()
