"""A site that is killed at random moments while people write, and what is left of their writes.

`Victim` starts the real server as a process, lets people write over the API, ends it by SIGKILL,
and after the next start compares the database with everything the site had said yes to. Used by a
test with a few kills and by `scripts/bench kill` with many.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

from mediaserver.admin.database_copy import examine_sqlite
from mediaserver.kernel.config import Config
from mediaserver.server import run_command

ROOT = Path(__file__).resolve().parents[1]
PASSWORD = "correct horse battery"
ROOM = "room"
WRITERS = ("anna", "bert", "cleo", "dora")
PROMOTED = "emil"
START_TIMEOUT_S = 60.0
Person = Callable[[], Awaitable[None]]
LIMITS = {
    "CHAT_LINES_BURST": 1_000_000,
    "REGISTER_PER_ADDRESS_BURST": 1_000_000,
    "FOLLOWS_BURST": 1_000_000,
}
"""One person writes here as much as a crowd."""


@dataclass
class Promised:
    """What the site has said yes to, and what was asked when it died."""

    lines: set[str] = field(default_factory=set)
    registrations: set[str] = field(default_factory=set)
    follows: dict[str, bool] = field(default_factory=dict)
    follows_asked: dict[str, bool] = field(default_factory=dict)
    roles: int = 0


@dataclass
class Victim:
    """One storage folder and the processes that work on it, one after the other."""

    storage: Path
    chance: random.Random
    promised: Promised = field(default_factory=Promised)
    kills: Counter[str] = field(default_factory=Counter)
    starts_s: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    _numbers: Any = field(default_factory=count)
    _is_premium: bool = False

    async def prepare(self) -> None:
        """An admin with a room, and people who write there."""
        config = Config.model_validate({"storage": {"path": self.storage}})
        for name in ("admin", PROMOTED, *WRITERS):
            wanted = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
            await run_command(config, "user", {**wanted, "is_admin": name == "admin"})
        await run_command(config, "channel", {"owner": "admin", "slug": ROOM, "name": ROOM})

    async def round(self, *, longest_s: float) -> None:
        """Start the site, check what it finds, write, kill it; now and then while it starts."""
        if self.chance.random() < 0.15:
            await self._kill_at_start()
        async with self._running() as (process, port):
            self.check()
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}/") as http:
                await self._write_until_killed(http, process, longest_s)
        self.kills["while people wrote"] += 1

    async def finish(self) -> None:
        """Start once more, to see what the last kill left."""
        async with self._running():
            self.check()

    def check(self) -> None:
        """Compare the database, while the site runs, with what was promised."""
        path = self.storage / "mediaserver.db"
        self.faults += examine_sqlite(path, lambda: None).findings
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:

            def words(query: str) -> set[str]:
                return {row[0] for row in database.execute(query)}

            lines = words("SELECT nonce FROM chat_event WHERE nonce IS NOT NULL")
            registrations = words("SELECT username FROM registration")
            follows = words(
                "SELECT username FROM follow JOIN user_account ON user_account.id = follow.user_id"
            )
            roles = words("SELECT sequence FROM audit_entry")
            premium = words("SELECT username FROM user_account WHERE is_premium = 1")
        self._is_premium = PROMOTED in premium
        self.miss("chat lines", self.promised.lines - lines)
        self.miss("registrations", self.promised.registrations - registrations)
        if len(roles) < self.promised.roles:
            self.faults.append(f"{self.promised.roles - len(roles)} audit entries are missing")
        for name, wanted in self.promised.follows.items():
            asked = self.promised.follows_asked.get(name, wanted)
            if (name in follows) not in (wanted, asked):
                self.faults.append(f"what {name} follows is not what was promised")
            self.promised.follows[name] = name in follows
        self.promised.follows_asked.clear()

    def miss(self, what: str, missing: set[str]) -> None:
        if missing:
            self.faults.append(f"{len(missing)} {what} are missing")

    # The process ------------------------------------------------------------------------------

    async def _spawn(self) -> asyncio.subprocess.Process:
        config = {
            "http": {"host": "127.0.0.1", "port": 0},
            "rtmp": {"host": "127.0.0.1", "port": 0},
            "storage": {"path": str(self.storage)},
        }
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.functional.serve"),
            json.dumps({"config": config, "limits": LIMITS}),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        process = await self._spawn()
        assert process.stdout is not None
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                line = await process.stdout.readline()
            assert line, "the site did not start again"
            self.starts_s.append(loop.time() - began)
            yield process, json.loads(line)["http_port"]
        finally:
            await _kill(process)

    async def _kill_at_start(self) -> None:
        process = await self._spawn()
        await asyncio.sleep(self.chance.uniform(0.2, 1.5))
        await _kill(process)
        self.kills["while it started"] += 1

    # People -----------------------------------------------------------------------------------

    async def _write_until_killed(
        self, http: aiohttp.ClientSession, process: asyncio.subprocess.Process, longest_s: float
    ) -> None:
        tokens = {name: await _log_in(http, name) for name in ("admin", *WRITERS)}
        people = self.people(http, tokens)
        tasks = [asyncio.ensure_future(_until_refused(person)) for person in people]
        await asyncio.sleep(self.chance.uniform(0.02, longest_s))
        process.send_signal(signal.SIGKILL)
        await asyncio.gather(*tasks)
        await process.wait()

    def people(self, http: aiohttp.ClientSession, tokens: dict[str, str]) -> list[Person]:
        """What is done again and again, all at once, until the site is killed."""
        return [
            *(self._talker(http, tokens[name]) for name in WRITERS for _ in range(2)),
            *(self._follower(http, name, tokens[name]) for name in WRITERS[:2]),
            self._newcomer(http),
            self._promoter(http, tokens["admin"]),
        ]

    def _talker(self, http: aiohttp.ClientSession, token: str) -> Person:
        async def say() -> None:
            nonce = f"kill-{next(self._numbers)}"
            line = {"text": f"line {nonce}", "nonce": nonce}
            if await ask(http, "POST", f"channels/{ROOM}/chat", token, line) == 201:
                self.promised.lines.add(nonce)

        return say

    def _follower(self, http: aiohttp.ClientSession, name: str, token: str) -> Person:
        async def turn() -> None:
            wanted = not self.promised.follows.get(name, False)
            self.promised.follows_asked[name] = wanted
            method = "PUT" if wanted else "DELETE"
            if await ask(http, method, f"channels/{ROOM}/follow", token) == 200:
                self.promised.follows[name] = wanted
                del self.promised.follows_asked[name]

        return turn

    def _newcomer(self, http: aiohttp.ClientSession) -> Person:
        async def register() -> None:
            name = f"new{next(self._numbers)}"
            form = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
            if await ask(http, "POST", "auth/register", "", form) == 201:
                self.promised.registrations.add(name)

        return register

    def _promoter(self, http: aiohttp.ClientSession, token: str) -> Person:
        """Each change of a role is an entry of the audit log."""

        async def promote() -> None:
            role = {"role": "normal" if self._is_premium else "premium"}
            if await ask(http, "PUT", f"admin/users/{PROMOTED}/role", token, role) == 200:
                self._is_premium = not self._is_premium
                self.promised.roles += 1
            await asyncio.sleep(0.05)

        return promote


async def _until_refused(person: Person) -> None:
    """Until the connection breaks, as the site is gone."""
    try:
        while True:
            await person()
    except aiohttp.ClientError:
        return


async def ask(
    http: aiohttp.ClientSession, method: str, path: str, token: str, body: Any = None
) -> int:
    """The status, once the whole answer is here."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    options = {} if body is None else {"json": body}
    async with http.request(method, f"/api/v1/{path}", headers=headers, **options) as response:
        await response.read()
        return response.status


async def _log_in(http: aiohttp.ClientSession, name: str) -> str:
    login = {"username": name, "password": PASSWORD}
    async with http.post("/api/v1/auth/login", json=login) as response:
        assert response.status == 200, await response.text()
        return str((await response.json())["access_token"])


async def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()
