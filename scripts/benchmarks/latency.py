"""Encoder to screen in Chromium, read from a clock burned into the picture, and the time to the
first frame; beside nginx-rtmp's HLS on the same meter."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from benchmarks import nginx
from benchmarks.processes import ROOT, Child, memory_folder, module
from benchmarks.report import Report, percentile, progress

_PAGE = Path(__file__).parent / "page"
_VENDORED = ROOT / "web" / "static" / "vendor" / "hls" / "hls.light.min.js"
_HLS_JS = "hls.js@1.7.4"
CHROMIUM_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)
_LOAD_TIMEOUT_S = 20.0
_STALL_MS = 50
"""A `waiting` that is over sooner was no frame long; it is told in a note."""
_CHANNEL = "clock"
_SERVERS = {"site": "site", "bare": "engine"}


@dataclass(frozen=True, slots=True)
class Case:
    """One row. `server` is a preset of ours, or "nginx"."""

    server: str
    rtt_ms: int
    latency_max_s: float | None = None
    without_stalls: bool = False
    jitter_ms: int = 0
    way: str = "hls"

    @property
    def text(self) -> str:
        name = f"ours, {self.way if self.way == 'instant' else self.server}"
        if self.server == "nginx":
            name = "nginx-rtmp, 1 s fragments"
        jitter = f" ± {self.jitter_ms} ms each way" if self.jitter_ms else ""
        return f"{name}, RTT {self.rtt_ms} ms{jitter}"


_CASES = (
    Case("lan", 0, latency_max_s=1.2, without_stalls=True),
    Case("low", 0, latency_max_s=2.0, without_stalls=True),
    Case("low", 200, without_stalls=True),
    Case("nginx", 0),
)
_FIRST_FRAME_MAX_S = 1.0


@dataclass(slots=True)
class Figures:
    latencies_ms: list[float] = field(default_factory=list)
    stalls: int = 0
    waits: list[tuple[float, float | None, float]] = field(default_factory=list)
    gap_ms: float = 0.0
    unread: int = 0
    firsts_ms: list[float] = field(default_factory=list)
    joins_ms: list[float] = field(default_factory=list)
    ways: set[str] = field(default_factory=set)


def add_options(group: Any) -> None:
    group.add_argument("--watch-s", type=int, default=60, help="seconds measured (%(default)s)")
    group.add_argument("--settle-s", type=int, default=8, help="seconds before (%(default)s)")
    group.add_argument("--loads", type=int, default=7, help="loads of the page (%(default)s)")
    group.add_argument("--size", default="640x360", help="of the picture (%(default)s)")
    group.add_argument("--case", default="", help="only the rows whose name has this in it")
    group.add_argument(
        "--player",
        choices=("site", "bare"),
        default="site",
        help="ours in the site's own page, or in the bare page that the rival gets (%(default)s)",
    )
    group.add_argument(
        "--hls-config", default="{}", help="settings of hls.js in the bare page, as JSON"
    )


def run(options: argparse.Namespace, folder: Path) -> Report:
    page = folder / "page"
    shutil.copytree(_PAGE, page)
    player = _hls_js(folder, page / "hls.js")
    report = Report(
        "latency",
        "seconds from the encoder's clock to the screen, in Chromium",
        ("", "p50", "p95", "stalls", "longest still", "first frame p50", "first frame worst"),
    )
    measured = {}
    with sync_playwright() as playwright:
        for case in (case for case in _CASES if options.case in case.text):
            progress(f"latency: {case.text}")
            measured[case] = measure(playwright, case, page, folder, options)
    for case, figures in measured.items():
        _add(report, case, figures)
    report.notes += [
        (
            "Latency runs from the moment a frame is drawn and stamped with the wall clock to the "
            "callback for its presentation in the page, on the same machine's clock. It includes "
            f"the encoder (x264 ultrafast zerolatency, {options.size}, 30 frames a second, "
            "2.5 Mb/s, AAC), RTMP, packaging, delivery, the player's hold-back, decoding and "
            "compositing in software. Nothing is subtracted. It leaves out capture and the monitor."
        ),
        (
            f"Every shown frame of {options.watch_s} s counts, from {options.settle_s} s after the "
            "first frame on. Stalls and the longest still (between two shown frames) count from "
            "the first frame on: each `waiting` of the video element that lasts "
            f"{_STALL_MS} ms or more, or stall that hls.js reports."
        ),
        (
            f"First frame: {options.loads} loads, each with an empty cache, from navigation start "
            "to the first decoded frame; page, scripts and playlists included."
        ),
        (
            (
                "Ours is the site's own page and player; nginx-rtmp has none, so it gets a bare "
                if options.player == "site"
                else "Both get a bare "
            )
            + f"page with {player} and the site's settings of it"
            + (f", and {options.hls_config}" if options.hls_config != "{}" else "")
            + ". GOP 2 s for ours, 1 s for nginx-rtmp, which can't cut elsewhere."
        ),
        (
            "RTT is added by a proxy that delays all bytes and the connection's handshake, without "
            "a limit on the rate and without loss."
        ),
    ]
    return report


def measure(
    playwright: Playwright, case: Case, page: Path, folder: Path, options: argparse.Namespace
) -> Figures:
    """One row: its server, its publisher, and a browser that watches."""
    log = folder / "log"
    with _published(case, page, folder, log, options) as (address, publisher):
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(CHROMIUM_FLAGS)
        )
        try:
            figures = _measure(browser, address, case, options)
        finally:
            browser.close()
        if not publisher.is_running:
            raise RuntimeError("the publisher ended early: " + log.read_text()[-2000:])
    return figures


def _add(report: Report, case: Case, figures: Figures) -> None:
    p50, p95 = (percentile(figures.latencies_ms, share) / 1000 for share in (0.5, 0.95))
    first = median(figures.firsts_ms) / 1000
    report.rows.append(
        (
            case.text,
            f"{p50:.2f}",
            f"{p95:.2f}",
            str(figures.stalls),
            f"{figures.gap_ms / 1000:.2f}",
            f"{first:.2f}",
            f"{max(figures.firsts_ms) / 1000:.2f}",
        )
    )
    for at_ms, took_ms, spare_s in figures.waits:
        took = "to the end" if took_ms is None else f"for {took_ms} ms"
        report.notes.append(
            f"{case.text}: `waiting` {took}, {at_ms / 1000:.1f} s after the first frame, with "
            f"{spare_s:.2f} s in the buffer."
        )
    if figures.unread:
        report.notes.append(f"{case.text}: {figures.unread} stamps could not be read.")
    if case.latency_max_s is not None:
        report.goals.append(
            (
                f"{case.text}: p95 at most {case.latency_max_s} s, is {p95:.2f}",
                p95 <= case.latency_max_s,
            )
        )
    if case.without_stalls:
        report.goals.append((f"{case.text}: no stall, had {figures.stalls}", figures.stalls == 0))
    if case.server != "nginx" and case.rtt_ms == 0:
        report.goals.append(
            (
                f"{case.text}: first frame at most {_FIRST_FRAME_MAX_S} s, is {first:.2f}",
                first <= _FIRST_FRAME_MAX_S,
            )
        )


@contextmanager
def _published(
    case: Case, page: Path, folder: Path, log: Path, options: argparse.Namespace
) -> Iterator[tuple[str, Child]]:
    """A server with the clock on it → the address of the page that plays it."""
    key, source = _CHANNEL, f"/live/{_CHANNEL}/index.m3u8"
    with memory_folder() as root, ExitStack() as stack:
        if case.server == "nginx":
            shutil.copytree(page, root / "page")
            rival = nginx.start(folder / "nginx", root, fragment_s=1)
            stack.enter_context(rival.child)
            http_port, rtmp_port = rival.http_port, rival.rtmp_port
            source = f"/hls/{_CHANNEL}.m3u8"
        else:
            server_options = {"preset": case.server, "page": str(page)}
            if options.player == "site":
                storage = tempfile.mkdtemp(dir=folder)
                server_options |= {"storage": storage, "channel": _CHANNEL}
            server = module(f"{_SERVERS[options.player]}_server", server_options, log=log)
            ready = stack.enter_context(server).says(60)
            http_port, rtmp_port, key = ready["http"], ready["rtmp"], ready.get("key", key)
        publisher_options = {
            "url": f"rtmp://127.0.0.1:{rtmp_port}/live/{key}",
            "size": options.size,
            "gop_s": 1 if case.server == "nginx" else 2,
            "seconds": 60 + options.settle_s + options.watch_s + options.loads * _LOAD_TIMEOUT_S,
        }
        publisher = stack.enter_context(module("clock_publisher", publisher_options, log=log))
        publisher.says(20)
        _wait_for_window(f"http://127.0.0.1:{http_port}{source}", is_ours=case.server != "nginx")
        if case.rtt_ms:
            proxy_options = {"port": http_port, "rtt_ms": case.rtt_ms}
            proxy_options["jitter_ms"] = case.jitter_ms
            proxy = stack.enter_context(module("delay_proxy", proxy_options, log=log))
            http_port = proxy.says(10)["port"]
        path = f"/page/index.html?source={quote(source)}&config={quote(options.hls_config)}"
        if case.server != "nginx" and options.player == "site":
            path = f"/@{_CHANNEL}"
        yield f"http://127.0.0.1:{http_port}{path}", publisher


def _wait_for_window(playlist_url: str, *, is_ours: bool) -> None:
    """Until the stream has run for a while: nobody measures a stream's first second."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with urlopen(playlist_url, timeout=2) as answer:
                text = answer.read().decode()
            if is_ours or text.count("#EXTINF") >= 4:
                time.sleep(8 if is_ours else 1)
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise RuntimeError("the stream did not begin")


def _measure(browser: Browser, address: str, case: Case, options: argparse.Namespace) -> Figures:
    figures = Figures()
    for _ in range(options.loads):
        with _opened(browser, address, case.way) as page:
            first_ms, asked_ms = page.evaluate("[benchMeter.firstMs, benchMeter.askedMs]")
            figures.firsts_ms.append(first_ms)
            if asked_ms is not None:
                figures.joins_ms.append(first_ms - asked_ms)
    with _opened(browser, address, case.way) as page:
        time.sleep(options.settle_s)
        began_ms = page.evaluate("Date.now()")
        time.sleep(options.watch_s)
        meter = page.evaluate("benchMeter")
        way = page.evaluate("document.querySelector('live-player')?.stats.way ?? null")
        figures.ways = {*meter["ways"], *([way] if way else [])}
        figures.latencies_ms = [age for at, age in meter["samples"] if at >= began_ms]
        stalled = [error for error in meter["errors"] if error[1] == "bufferStalledError"]
        figures.waits = [tuple(wait) for wait in meter["waits"]]
        seen = [took for _, took, _ in figures.waits if took is None or took >= _STALL_MS]
        figures.stalls = max(len(seen), len(stalled))
        figures.gap_ms, figures.unread = meter["gapMaxMs"], meter["unread"]
        if len(figures.latencies_ms) < 10:
            raise RuntimeError(f"the page shows no clock: {json.dumps(meter)[:1000]}")
    return figures


@contextmanager
def _opened(browser: Browser, address: str, way: str) -> Iterator[Page]:
    """A page in a profile of its own, once it has shown a frame."""
    context = browser.new_context(viewport={"width": 800, "height": 600})
    try:
        context.add_init_script(f"localStorage.playback = '{way}'")
        context.add_init_script(path=_PAGE / "meter.js")
        page = context.new_page()
        page.goto(address, wait_until="commit")
        # Polled: the site's Content-Security-Policy lets nothing wait inside the page.
        deadline = time.monotonic() + _LOAD_TIMEOUT_S
        while page.evaluate("window.benchMeter?.firstMs ?? null") is None:
            if time.monotonic() > deadline:
                raise RuntimeError(f"no frame within {_LOAD_TIMEOUT_S:.0f} s at {address}")
            time.sleep(0.05)
        yield page
    finally:
        context.close()


def _hls_js(folder: Path, target: Path) -> str:
    """The site's own copy, or the same file from npm; what it is called."""
    if _VENDORED.exists():
        shutil.copy(_VENDORED, target)
        return f"{_HLS_JS} (light)"
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError("hls.js is not vendored yet, and npm is not there to fetch it")
    made = subprocess.run(
        [npm, "pack", "--silent", _HLS_JS],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    with tarfile.open(folder / made.stdout.split()[-1]) as archive:
        member = archive.extractfile("package/dist/hls.light.min.mjs")
        assert member is not None
        target.write_bytes(member.read())
    return f"{_HLS_JS} (light)"
