"""Checks of the data: database, audit log, backups, work that was given up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, inspect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from mediaserver.admin.backup_file import list_backups
from mediaserver.admin.database_copy import (
    BrokenDatabase,
    Examined,
    broken_audit,
    broken_books,
    examine_sqlite,
    postgresql_reader,
    sqlite_connection,
)
from mediaserver.admin.doctor.finding import Finding, bad, ok, warn
from mediaserver.admin.long_work import Stop
from mediaserver.kernel import jobs, limits, mail
from mediaserver.kernel.config import Config
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.db.migrate import current, head
from mediaserver.kernel.errors import Unavailable

_RESTORE = "Stop the site and restore the newest backup: mediaserver restore FILE"
_WAL = b"\x02\x02"


class TooSlow(Unavailable):
    """A check that takes longer than somebody waits."""


@dataclass(frozen=True, slots=True)
class Work:
    """Jobs that were given up, by kind, and mail that waits for long."""

    dead: dict[str, int]
    late_mail: int


def sqlite_database(path: Path, now_ms: int, stop: Stop) -> list[Finding]:
    """Everything about a SQLite file. Blocks."""
    if not path.is_file():
        return [ok("database", "Database", f"{path} isn't there yet; the first start makes it.")]
    try:
        examined = examine_sqlite(path, stop, quick=True)
        with sqlite_connection(path) as connection:
            work = _work(connection, now_ms)
    except TooSlow as error:
        advice = "Look again when less is going on: mediaserver doctor"
        return [warn("database", "Database", error.message, advice)]
    except BrokenDatabase as error:
        return [bad("database", "Database", error.message, _RESTORE)]
    log = path.with_name(path.name + "-wal")
    files = [one.stat().st_size for one in (path, log) if one.exists()]
    megabytes = sum(files) / limits.MIB
    with path.open("rb") as file:
        file.seek(18)
        is_wal = file.read(2) == _WAL
    about = f"SQLite, {megabytes:,.1f} MB, {'WAL' if is_wal else 'not in WAL mode'}"
    found = [_database(examined, about), _audit(examined.audit), _books(examined.books)]
    return [*found, *_jobs(work)]


async def postgresql_database(url: str, now_ms: int) -> list[Finding]:
    """The same of PostgreSQL."""
    engine = postgresql_reader(make_url(url))

    def look(connection: Connection) -> list[Finding]:
        schema = current(connection)
        if schema is None:
            return [ok("database", "Database", "PostgreSQL, empty; the first start fills it.")]
        broken, books = broken_audit(connection), broken_books(connection)
        found = _database(Examined(schema, (), broken, books), "PostgreSQL")
        return [found, _audit(broken), _books(books), *_jobs(_work(connection, now_ms))]

    try:
        async with engine.connect() as connection:
            return await connection.run_sync(look)
    except (OSError, DBAPIError):
        advice = "Start PostgreSQL, and look at database.url in the settings."
        return [bad("database", "Database", "PostgreSQL doesn't answer.", advice)]
    finally:
        await engine.dispose()


def backups(config: Config, now_ms: int) -> Finding:
    """Whether there is a recent one, and where. Blocks."""
    title, folder, hours = "Backups", config.backup_folder, config.backup.every_hours
    try:
        made = list_backups(folder)
    except OSError as error:
        advice = "Look at the folder, or name another one in config.toml."
        return bad("backups", title, f"{folder} can't be read: {error.strerror}.", advice)
    if not made:
        meaning = f"There is none in {folder}."
        return warn(
            "backups",
            title,
            meaning,
            "Make one: on the admin page Backups, or with mediaserver backup",
        )
    if made[0].created_at_ms > now_ms:
        meaning = f"{made[0].name} in {folder} has a date beyond now."
        advice = "Set the clock of this machine, and delete or rename what has a wrong date."
        return warn("backups", title, meaning, advice)
    age_hours = (now_ms - made[0].created_at_ms) // 3_600_000
    meaning = f"{len(made)} in {folder}; the newest is {_age(age_hours)}."
    if age_hours > max(2 * hours, limits.DOCTOR_BACKUP_HOURS_OLD):
        advice = "Make one, and look why the site makes none by itself: /admin/backups"
        return warn("backups", title, meaning, advice)
    return ok("backups", title, meaning)


def _age(hours: int) -> str:
    if hours < 1:
        return "from less than an hour ago"
    return f"{hours} h old" if hours < 48 else f"{hours // 24} days old"


def _database(examined: Examined, about: str) -> Finding:
    title = "Database"
    if examined.schema > head():
        meaning = f"It was written by a newer version (schema {examined.schema})."
        return bad("database", title, meaning, "Install the newer version of mediaserver again.")
    if examined.orphans:
        advice = "Keep a backup, and report it: this shouldn't happen."
        return warn("database", title, f"{about}. {' '.join(examined.orphans)}", advice)
    waiting = "" if examined.schema == head() else "; the next start brings it up to date"
    return ok("database", title, f"{about}, whole, schema {examined.schema}{waiting}.")


def _audit(broken: tuple[str, ...]) -> Finding:
    if broken:
        advice = "Somebody changed the database by hand. Compare with a backup."
        return bad("audit", "Audit log", broken[0], advice)
    return ok("audit", "Audit log", "Every entry is as it was written.")


def _books(broken: tuple[str, ...]) -> Finding:
    if broken:
        more = f" And {len(broken) - 1} more." if len(broken) > 1 else ""
        advice = "Look at /admin/books, and compare with a backup before anything is paid out."
        return bad("books", "Books", broken[0] + more, advice)
    return ok("books", "Books", "Everything that was booked adds up.")


def _jobs(work: Work) -> list[Finding]:
    found = []
    if work.dead:
        kinds = ", ".join(f"{count} of kind {kind}" for kind, count in sorted(work.dead.items()))
        advice = "See why, and try them again: /admin/jobs"
        found.append(warn("jobs", "Jobs", f"Given up after many tries: {kinds}.", advice))
    else:
        found.append(ok("jobs", "Jobs", "None was given up."))
    if work.late_mail:
        meaning = f"{work.late_mail} mails wait for more than an hour."
        found.append(warn("mail_queue", "Mail queue", meaning, "Check the mail server below."))
    return found


def _work(connection: Connection, now_ms: int) -> Work:
    if not inspect(connection).has_table(jobs.job.name):
        return Work({}, 0)
    tx, late_ms = Transaction(connection), now_ms - limits.DOCTOR_MAIL_LATE_MS
    return Work(jobs.dead_by_kind(tx), jobs.count_waiting(tx, mail.JOB, late_ms))
