"""Checks of the machine: programs, storage folder, key, clock, limits. Nothing here waits."""

from __future__ import annotations

import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cryptography import x509

import mediaserver
from mediaserver.admin.doctor.finding import Finding, bad, ok, warn
from mediaserver.kernel import limits
from mediaserver.kernel.config import Config
from mediaserver.kernel.errors import MediaserverError
from mediaserver.kernel.vault import KEY_FILE, Vault

PINNED: Mapping[str, str] = {
    "pyrtmp": "0.3.1",
    "python-engineio": "4.15.1",
    "python-socketio": "5.18.1",
}
"""Libraries of which exactly one version works; a test holds them against pyproject.toml."""

_NAMED = ("aiohttp", "av", "sqlalchemy")
_PYTHON_MIN = (3, 11)
_SQLITE_MIN = (3, 37, 0)
"""Has STRICT tables, which every table of ours is."""


def programs() -> list[Finding]:
    """Python, our libraries, SQLite."""
    python = sys.version.split()[0]
    if sys.version_info >= _PYTHON_MIN:
        found = [ok("python", "Python", f"{python}, with mediaserver {mediaserver.__version__}.")]
    else:
        found = [bad("python", "Python", f"{python} is too old.", "Install Python 3.11 or newer.")]
    return [*found, libraries({name: _version(name) for name in (*PINNED, *_NAMED)}), sqlite()]


def libraries(versions: Mapping[str, str | None]) -> Finding:
    """Those in `versions`, by name; None for one that is missing."""
    title, again = "Libraries", "Install mediaserver again: pip install --force-reinstall ."
    missing = [name for name, found in versions.items() if found is None]
    if missing:
        return bad("libraries", title, f"Missing: {', '.join(missing)}.", again)
    wrong = [
        f"{name} is {versions[name]} instead of {wanted}"
        for name, wanted in PINNED.items()
        if versions[name] != wanted
    ]
    if wrong:
        return bad("libraries", title, f"{'; '.join(wrong)}.", again)
    return ok("libraries", title, ", ".join(f"{name} {versions[name]}" for name in _NAMED) + ".")


def sqlite(found: tuple[int, ...] = sqlite3.sqlite_version_info) -> Finding:
    text = ".".join(map(str, found))
    if found < _SQLITE_MIN:
        return bad("sqlite", "SQLite", f"{text} is too old.", "Install a newer Python or system.")
    return ok("sqlite", "SQLite", f"{text}.")


def storage(config: Config) -> list[Finding]:
    """The folder: there, private, writable, with room."""
    folder, title = config.storage.path.absolute(), "Storage folder"
    if not folder.exists():
        return [ok("storage", title, f"{folder} isn't there yet; the first start makes it.")]
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
    except OSError as error:
        advice = "Give the folder to the user that runs the site, and look at the disk."
        return [bad("storage", title, f"{folder} can't be written: {error.strerror}.", advice)]
    if sys.platform != "win32" and folder.stat().st_mode & 0o077:
        meaning = f"Other users of this machine may look into {folder}."
        found = warn("storage", title, meaning, f"chmod 700 {folder}")
    else:
        found = ok("storage", title, f"{folder} is private and can be written.")
    return [found, free_space(shutil.disk_usage(folder).free)]


def free_space(free: int) -> Finding:
    title, megabytes = "Free space", f"{free // limits.MIB:,} MB are free on the storage's disk."
    advice = "Delete what you don't need, or move the storage to a larger disk."
    if free < limits.STORAGE_FREE_BYTES_MIN:
        return bad("free_space", title, f"{megabytes} The database may stop soon.", advice)
    if free < limits.DOCTOR_FREE_BYTES_LOW:
        return warn("free_space", title, megabytes, advice)
    return ok("free_space", title, megabytes)


def master_key(config: Config) -> Finding:
    """The key that second factors and documents are sealed with."""
    title, path = "Master key", config.storage.path / KEY_FILE
    if config.storage.master_key:
        return ok("master_key", title, "It is in the settings.")
    if not path.exists():
        if not (config.storage.path / "mediaserver.db").exists():
            return ok("master_key", title, "There is none yet; the first start makes it.")
        return warn(
            "master_key",
            title,
            f"{path} is missing; second factors and documents that it sealed can't be read.",
            "Put it back from a backup before you start the site; a start makes a new one.",
        )
    try:
        Vault.open(config.storage.path)
    except MediaserverError as error:
        return bad("master_key", title, error.message, "Put it back from a backup.")
    if sys.platform != "win32" and path.stat().st_mode & 0o077:
        return warn("master_key", title, f"Others may read {path}.", f"chmod 600 {path}")
    return ok("master_key", title, "It is there, and private.")


def open_files() -> Finding:
    """How many connections the system allows; each viewer is one."""
    title = "Open files"
    try:
        import resource
    except ImportError:
        return ok("open_files", title, "This system has no limit.")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return open_files_of(limits.OPEN_FILES_WANTED if hard == resource.RLIM_INFINITY else hard)


def open_files_of(allowed: int) -> Finding:
    meaning = f"The system allows {allowed:,}; each viewer takes one or two."
    if allowed < limits.DOCTOR_OPEN_FILES_LOW:
        advice = "Raise it: LimitNOFILE= in the systemd unit, or ulimit -Hn."
        return warn("open_files", "Open files", meaning, advice)
    return ok("open_files", "Open files", meaning)


def clock(wall_ms: int, jumped_ms: int) -> Finding:
    """`jumped_ms`: how far the clock was set since the site began, against one that never jumps."""
    advice = "Have the machine set its clock by the network: timedatectl set-ntp true"
    now = datetime.fromtimestamp(wall_ms / 1000, UTC)
    if not 2026 <= now.year < 2100:
        meaning = f"It says {now:%Y-%m-%d}: schedules, codes and certificates go by it."
        return bad("clock", "Clock", meaning, advice)
    if abs(jumped_ms) > limits.DOCTOR_CLOCK_JUMP_MS:
        meaning = f"It was set by {jumped_ms / 1000:+.0f} s while the site ran."
        return warn("clock", "Clock", meaning, advice)
    return ok("clock", "Clock", f"It says {now:%Y-%m-%d %H:%M} UTC.")


def certificate(config: Config, now_ms: int) -> list[Finding]:
    """The certificate for HTTPS, if the site itself has one."""
    if not config.http.tls_certificate:
        return []
    title, path = "Certificate", Path(config.http.tls_certificate)
    try:
        ends = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    except (OSError, ValueError) as error:
        advice = "Look at tls_certificate in config.toml."
        return [bad("certificate", title, f"{path} can't be read: {error}.", advice)]
    left_ms = int(ends.timestamp() * 1000) - now_ms
    advice = "Renew it, then start the site again."
    if left_ms < 0:
        return [bad("certificate", title, f"It ended on {ends:%Y-%m-%d}.", advice)]
    if left_ms < limits.DOCTOR_CERTIFICATE_MS_LOW:
        return [warn("certificate", title, f"It ends on {ends:%Y-%m-%d}.", advice)]
    return [ok("certificate", title, f"It is good until {ends:%Y-%m-%d}.")]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
