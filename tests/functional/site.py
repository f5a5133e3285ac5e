"""One running server as a test sees it: its ports, log lines, memory, API, and fresh channels."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp

from mediaserver.kernel import limits
from tests.rtmp.wire import RtmpClient

ROOT = Path(__file__).resolve().parents[2]
START_DEADLINE_S = 30.0
STOP_DEADLINE_S = 30.0
POLL_S = 0.05
ADMIN, PASSWORD = "tester", "correct horse battery staple"

LogLine = dict[str, Any]


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The answer itself is what is looked at."""

    def redirect_request(self, *arguments: object) -> None:
        return None


async def until(
    predicate: Callable[[], bool], what: str, deadline_s: float, *, poll_s: float = POLL_S
) -> None:
    """Poll until it holds; AssertionError with `what` after the deadline."""
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline_s
    while not predicate():
        assert loop.time() < end, f"not within {deadline_s} s: {what}"
        await asyncio.sleep(poll_s)


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel of its own for one test, with one stream key."""

    slug: str
    key: str
    key_id: str
    publish_url: str
    playlist_url: str


class Site:
    """A server in a child process. `start` and `stop` block; the rest is for tests' event loops."""

    def __init__(
        self,
        storage: Path,
        *,
        config: Mapping[str, Mapping[str, object]] | None = None,
        limits: Mapping[str, float] | None = None,
    ) -> None:
        sections: dict[str, dict[str, object]] = {
            "http": {"host": "127.0.0.1", "port": 0},
            "rtmp": {"host": "127.0.0.1", "port": 0},
            "storage": {"path": str(storage)},
            "accounts": {"channels_per_user_max": 100},
            "media": {"streams_max": 64},
        }
        for section, values in (config or {}).items():
            sections.setdefault(section, {}).update(values)
        self._sections = sections
        self._limits = dict(limits or {})

        self.storage = storage
        self.http_port = 0
        self.rtmp_port = 0
        self.setup_url = ""
        self.log: list[LogLine] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._threads: list[threading.Thread] = []
        self._token = ""
        self._token_at = 0.0
        self._channels = 0

    # life -------------------------------------------------------------------------------------

    def start(self) -> None:
        arguments = json.dumps({"config": self._sections, "limits": self._limits})
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.functional.serve", arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *_python_path()])},
        )
        ready = threading.Event()
        self._threads = [
            threading.Thread(target=self._read_stdout, args=(ready,), daemon=True),
            threading.Thread(target=self._read_stderr, daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        began = ready.wait(START_DEADLINE_S) and self._process.poll() is None
        if not began or not self.http_port:
            self.stop()
            raise AssertionError(f"the server did not start:\n{self.log_text()}")
        try:
            if self.setup_url:
                self._set_up()
        except BaseException:
            self.stop()
            raise

    def start_again(self) -> None:
        """After `stop`: the same site at the same ports."""
        self._sections["http"]["port"] = self.http_port
        self._sections["rtmp"]["port"] = self.rtmp_port
        self.start()

    def stop(self) -> int:
        """SIGTERM; the exit code. A server that hangs is killed and that is an error."""
        process = self._process
        if process is None:
            return 0
        self._process = None
        process.terminate()
        try:
            code = process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError("the server did not stop in time") from None
        finally:
            for pipe in (process.stdin, process.stdout, process.stderr):
                assert pipe is not None
            for thread in self._threads:
                thread.join(5)
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()
        return code

    def _read_stdout(self, ready: threading.Event) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if not ready.is_set() and line.startswith(b"{"):
                ports = json.loads(line)
                self.http_port, self.rtmp_port = ports["http_port"], ports["rtmp_port"]
                self.setup_url = ports["setup_url"] or ""
                ready.set()
        ready.set()  # the end of output: start() sees that no port came

    def _read_stderr(self) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        for line in self._process.stderr:
            try:
                entry = json.loads(line)
            except ValueError:
                entry = None
            if not isinstance(entry, dict):
                entry = {"event": line.decode(errors="replace").rstrip(), "level": "raw"}
            self.log.append(entry)

    # log and memory ---------------------------------------------------------------------------

    def log_text(self, since: int = 0) -> str:
        return "\n".join(json.dumps(line) for line in self.log[since:])

    def catch_up(self) -> None:
        """Return when the server has had its turn: what it was about to log is logged."""
        with urllib.request.urlopen(f"{self.url}/healthz", timeout=20) as answer:
            assert answer.status == 200

    def serious(self, since: int = 0) -> list[LogLine]:
        """Errors, and anything that is no log line at all, such as a traceback."""
        return [
            line for line in self.log[since:] if line.get("level") in {"error", "critical", "raw"}
        ]

    def closing_lines(self, client: RtmpClient) -> list[LogLine]:
        """The lines that say why the connection of `client` ended.

        The system gives a port out again: lines from before the connection are another client's.
        """
        return [
            line
            for line in self.log
            if line.get("peer") == client.local_name
            and "why" in line
            and datetime.fromisoformat(line["timestamp"]) >= client.opened_at
        ]

    @property
    def rss_bytes(self) -> int:
        """Resident memory of the server process."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
        return int(line.split()[1]) * 1024

    @property
    def open_files(self) -> int:
        assert self._process is not None
        return len(list(Path(f"/proc/{self._process.pid}/fd").iterdir()))

    # HTTP -------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    async def api(
        self, method: str, path: str, body: Mapping[str, object] | None = None
    ) -> tuple[int, Any]:
        """One API request as the admin; status and decoded JSON (None where there is none)."""
        if self._token and time.monotonic() - self._token_at > limits.ACCESS_TOKEN_S / 2:
            await asyncio.to_thread(self._log_in)
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        timeout = aiohttp.ClientTimeout(total=20)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.request(method, self.url + path, json=body, headers=headers) as response,
        ):
            text = await response.text()
            return response.status, json.loads(text) if text.startswith(("{", "[")) else None

    def _post(self, path: str, body: bytes, content_type: str) -> tuple[int, bytes]:
        headers = {
            "Content-Type": content_type,
            "Origin": self.url,
            "Sec-Fetch-Site": "same-origin",
        }
        request = urllib.request.Request(self.url + path, body, headers)
        opener = urllib.request.build_opener(_NoRedirect)
        try:
            with opener.open(request, timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def _set_up(self) -> None:
        """The admin's first visit: the one-time link, then the form; then a token for the API."""
        token = parse_qs(urlsplit(self.setup_url).query).get("token", [""])[0]
        form = {
            "token": token,
            "username": ADMIN,
            "email": "tester@example.org",
            "password": PASSWORD,
            "channel_name": "First",
            "channel_slug": "first",
        }
        status, body = self._post(
            "/setup", urlencode(form).encode(), "application/x-www-form-urlencoded"
        )
        assert status in {302, 303}, f"/setup answered {status}: {body[:500]!r}"
        self._log_in()

    def _log_in(self) -> None:
        login = json.dumps({"username": ADMIN, "password": PASSWORD}).encode()
        status, body = self._post("/api/v1/auth/login", login, "application/json")
        assert status == 200, (status, body)
        self._token = json.loads(body)["access_token"]
        self._token_at = time.monotonic()

    async def new_channel(self) -> Channel:
        """A fresh channel and a stream key for it."""
        self._channels += 1
        slug = f"test-{self._channels}"
        status, body = await self.api(
            "POST", "/api/v1/channels", {"slug": slug, "title": f"Test {self._channels}"}
        )
        assert status in {200, 201}, (status, body)
        key, key_id = await self.new_key(slug)
        return Channel(
            slug,
            key,
            key_id,
            f"rtmp://127.0.0.1:{self.rtmp_port}/live/{key}",
            f"{self.url}/live/{slug}/index.m3u8",
        )

    async def new_key(self, slug: str) -> tuple[str, str]:
        """A further stream key of a channel: (secret, id)."""
        status, body = await self.api(
            "POST", f"/api/v1/channels/{slug}/stream-keys", {"name": "test"}
        )
        assert status in {200, 201}, (status, body)
        return body["key"], body["id"]

    async def live(self, slug: str) -> Mapping[str, Any]:
        """What `GET /api/v1/channels/{slug}/live` answers."""
        status, body = await self.api("GET", f"/api/v1/channels/{slug}/live")
        assert status == 200, (status, body)
        assert isinstance(body, dict)
        return body

    async def wait_state(self, slug: str, state: str, deadline_s: float) -> Mapping[str, Any]:
        """Poll until the stream of a channel is in `state`."""
        loop = asyncio.get_running_loop()
        end = loop.time() + deadline_s
        while (live := await self.live(slug))["state"] != state:
            assert loop.time() < end, f"{slug} is {live['state']}, not {state}: {self.log_text()}"
            await asyncio.sleep(POLL_S)
        return live

    async def wait_rss_below(self, limit_bytes: int, deadline_s: float) -> None:
        """Memory comes back: resident memory falls below `limit_bytes` within the deadline."""
        await until(
            lambda: self.rss_bytes < limit_bytes,
            f"RSS below {limit_bytes >> 20} MiB, it is {self.rss_bytes >> 20} MiB",
            deadline_s,
            poll_s=0.2,
        )


def _python_path() -> list[str]:
    return [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]


class MakeSite:
    """Starts servers with settings and limits of one's own; all of them end with the session.

    `make_site(config={"media": {"preset": "lan"}}, limits={"STALL_S": 1.0})`. The same order gives
    the same server, so that tests share it.
    """

    def __init__(self, make_folder: Callable[[str], Path]) -> None:
        self._make_folder = make_folder

        self.sites: dict[str, Site] = {}

    def __call__(
        self,
        *,
        config: Mapping[str, Mapping[str, object]] | None = None,
        limits: Mapping[str, float] | None = None,
    ) -> Site:
        order = repr((config, limits))
        if order not in self.sites:
            site = Site(self._make_folder("storage"), config=config, limits=limits)
            site.start()
            self.sites[order] = site
        return self.sites[order]
