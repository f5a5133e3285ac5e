"""From starting the process to the first 200 of /healthz, with an empty data folder and with one
that was used; beside nginx and beside Python's own start and imports."""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import nginx
from benchmarks.processes import ROOT, Child, free_port
from benchmarks.report import Report, progress

_START_MAX_S = 2.0
_TIMEOUT_S = 30.0
_IMPORTS = "import aiohttp, alembic, argon2, av, jinja2, pydantic, pyrtmp, sqlalchemy, uvloop"


def add_options(group: Any) -> None:
    group.add_argument("--starts", type=int, default=7, help="of each kind (%(default)s)")


def run(options: argparse.Namespace, folder: Path) -> Report:
    cold, warm, bare, imports, rival = [], [], [], [], []
    _start(folder / "unmeasured")  # compiles what was never imported, and warms the file cache
    for number in range(options.starts):
        progress(f"startup: {number + 1} of {options.starts}")
        storage = folder / f"storage-{number}"
        cold.append(_start(storage))
        warm.append(_start(storage))
        bare.append(_python("pass"))
        imports.append(_python(_IMPORTS))
        if shutil.which("nginx"):
            rival.append(_start_nginx(folder / f"nginx-{number}", folder))
    report = Report(
        "startup", "seconds from starting the process to listening", ("", "median", "worst")
    )
    for text, series in (
        ("ours, empty data folder: database and secrets are made", cold),
        ("ours, used data folder", warm),
        ("nginx", rival),
        ("Python itself", bare),
        ("Python importing what we depend on", imports),
    ):
        if series:
            report.rows.append((text, f"{median(series):.2f}", f"{max(series):.2f}"))
    for text, series in (("empty", cold), ("used", warm)):
        report.goals.append(
            (
                f"{text} data folder: at most {_START_MAX_S} s, is {median(series):.2f}",
                median(series) <= _START_MAX_S,
            )
        )
    report.notes.append(
        f"`python -m mediaserver serve` until /healthz answers 200, asked each 5 ms; "
        f"{options.starts} starts of each, in turn; files in the system's cache."
    )
    return report


def _start(storage: Path) -> float:
    http_port = free_port()
    environment = {
        "PYTHONPATH": str(ROOT),
        "MEDIASERVER_HTTP__HOST": "127.0.0.1",
        "MEDIASERVER_HTTP__PORT": str(http_port),
        "MEDIASERVER_RTMP__HOST": "127.0.0.1",
        "MEDIASERVER_RTMP__PORT": "0",
        "MEDIASERVER_STORAGE__PATH": str(storage),
    }
    log = storage.parent / "log"
    began = time.monotonic()
    command = [sys.executable, "-m", "mediaserver", "serve"]
    with Child(command, environment=environment, log=log, cwd=storage.parent) as server:
        return _until_200(http_port, "/healthz", server, log) - began


def _start_nginx(folder: Path, root: Path) -> float:
    began = time.monotonic()
    with nginx.start(folder, root).child:
        return time.monotonic() - began


def _python(code: str) -> float:
    began = time.monotonic()
    pid = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, "-c", code])
    os.waitpid(pid, 0)
    return time.monotonic() - began


def _until_200(port: int, path: str, server: Child, log: Path) -> float:
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
    deadline = time.monotonic() + _TIMEOUT_S
    while server.is_running and time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as connection:
                connection.sendall(request)
                if b" 200 " in connection.recv(64):
                    return time.monotonic()
        except OSError:
            pass
        time.sleep(0.005)
    raise RuntimeError("the server did not start: " + log.read_text(errors="replace")[-2000:])
