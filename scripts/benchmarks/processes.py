"""Child processes of a benchmark: started with their end already arranged, measured by /proc.

A child is ended by its own process id when its `with` block ends, and by the kernel should the
benchmark die first.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_END_TIMEOUT_S = 10.0
_PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Child:
    """A running program. `cpu` pins it to one core; `log` keeps what it writes to stderr."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        cpu: int | None = None,
        log: Path | None = None,
        environment: dict[str, str] | None = None,
        cwd: Path = ROOT,
    ) -> None:
        self.name = Path(command[0]).name
        self._log = log
        with (log or Path(os.devnull)).open("ab") as errors:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, **(environment or {})},
                cwd=cwd,
                preexec_fn=_die_with_parent,
            )
        self.pid = self._process.pid
        self._unread = b""
        if cpu is not None:
            os.sched_setaffinity(self.pid, {cpu})

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def interrupt(self) -> None:
        """Ask it to say what it has measured."""
        self._process.send_signal(signal.SIGINT)

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def says(self, timeout_s: float) -> Any:
        """The next line that the child prints, as JSON. Raises `RuntimeError`."""
        assert self._process.stdout is not None
        stdout = self._process.stdout.fileno()
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._unread:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([stdout], [], [], left)[0]:
                raise RuntimeError(f"{self.name} said nothing for {timeout_s:.0f} s{self._why()}")
            data = os.read(stdout, 1 << 16)
            if not data:
                raise RuntimeError(f"{self.name} ended{self._why()}")
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        return json.loads(line)

    def _why(self) -> str:
        text = self._log.read_text(errors="replace")[-2000:] if self._log is not None else ""
        return f":\n{text}" if text else ""

    def cpu_s(self) -> float:
        """CPU seconds of the process so far, user and system."""
        return _cpu_s(self.pid)

    def family_cpu_s(self) -> float:
        """The same with its living children."""
        return _cpu_s(self.pid) + sum(_cpu_s(pid) for pid in _children(self.pid))

    def rss_bytes(self) -> int:
        """Resident memory."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE


def module(
    name: str, options: dict[str, Any], *, cpu: int | None = None, log: Path | None = None
) -> Child:
    """A module of this package as a child, with its one JSON argument."""
    environment = {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "scripts")))}
    command = [sys.executable, "-m", f"benchmarks.{name}", json.dumps(options)]
    child = Child(command, cpu=cpu, log=log, environment=environment)
    child.name = name
    return child


def free_port() -> int:
    """A loopback port for a program that can't tell which one it got from port 0."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, child: Child, timeout_s: float = 10.0) -> None:
    """Until something listens on it. Raises `RuntimeError`."""
    deadline = time.monotonic() + timeout_s
    while child.is_running and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise RuntimeError(f"{child.name} does not listen on port {port}{child._why()}")


@contextmanager
def memory_folder() -> Iterator[Path]:
    """A temporary folder, kept in memory (tmpfs) where the system has one."""
    place = Path("/dev/shm")
    where = str(place) if os.access(place, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="bench-", dir=where) as folder:
        yield Path(folder)


def cores() -> tuple[int, int]:
    """One core for the server and one for its client; the same where there is but one."""
    mine = sorted(os.sched_getaffinity(0))
    return mine[0], mine[-1]


def _cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            if int(stat.rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.name))
    return found
