"""What `mediaserver backup` and `mediaserver doctor` do: here, or in the running site.

cli.py calls the functions; server/server.py hands `commands_of` to the control socket.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mediaserver.admin.backup_file import Made
from mediaserver.admin.backups import Backups, back_up_stopped_site
from mediaserver.admin.database_copy import sqlite_file
from mediaserver.admin.doctor.doctor import Doctor
from mediaserver.kernel import limits
from mediaserver.kernel.clock import SystemClock
from mediaserver.kernel.config import Config
from mediaserver.kernel.db.lock import DatabaseInUse, FileLock
from mediaserver.kernel.errors import Unavailable
from mediaserver.kernel.mail import Smtp
from mediaserver.routes import control


async def back_up(config: Config, to: Path | None, keep: int | None) -> dict[str, Any]:
    """Make a backup; where it is and what is in it. Raises `Unavailable` or `Conflict`."""
    try:
        made = await back_up_stopped_site(config, SystemClock(), to, keep)
    except DatabaseInUse:
        wanted = {"to": str(to) if to else None, "keep": keep}
        wait_s = limits.BACKUP_COMMAND_TIMEOUT_S
        return await control.ask(config.storage.path, "backup", wanted, timeout_s=wait_s)
    return _told(made)


async def examine(config: Config) -> list[dict[str, Any]]:
    """The findings of the doctor, as JSON has them."""
    if _is_running(config):
        wait_s = limits.DOCTOR_DATABASE_TIMEOUT_S * 2
        try:
            answer = await control.ask(config.storage.path, "doctor", {}, timeout_s=wait_s)
        except Unavailable as error:
            raise Unavailable(
                "The site runs but doesn't answer. Look at its log, or stop it and ask again."
            ) from error
        found: list[dict[str, Any]] = answer["findings"]
        return found
    clock = SystemClock()
    doctor = Doctor(config, clock, Smtp(config.mail, "", clock).check)
    return [asdict(finding) for finding in await doctor.examine()]


def commands_of(backups: Backups, doctor: Doctor) -> Mapping[str, control.Command]:
    """The same two, as the running site does them."""

    async def backup(wanted: dict[str, Any]) -> dict[str, Any]:
        to = Path(wanted["to"]) if wanted["to"] else None
        return _told(await backups.make(to, wanted["keep"]))

    async def findings(_: dict[str, Any]) -> dict[str, Any]:
        return {"findings": [asdict(finding) for finding in await doctor.examine()]}

    return {"backup": backup, "doctor": findings}


def _is_running(config: Config) -> bool:
    database = sqlite_file(config.database_url)
    if database is None:
        return control.is_answered(config.storage.path)
    if not database.is_file():
        return False
    lock = FileLock(database.with_name(database.name + ".lock"))
    try:
        lock.acquire()
    except DatabaseInUse:
        return True
    lock.release()
    return False


def _told(made: Made) -> dict[str, Any]:
    return {
        "path": str(made.path),
        "bytes": made.byte_count,
        "files": len(made.manifest.files),
        "findings": list(made.manifest.findings),
    }
