"""Brings the schema to the newest version at start-up. Alembic is imported only when there is work.

A migration is `migrations/versions/NNNN_noun.py` with revision "NNNN"; all pending ones run in one
transaction, so a failed start leaves the database as it was.
"""

from __future__ import annotations

import logging
from pathlib import Path

import structlog
from sqlalchemy import Connection, inspect, text

from mediaserver.kernel.errors import Unavailable

_log = structlog.get_logger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"

_ADVISORY_LOCK = 7_305_117_001
"""PostgreSQL: two processes that start at once migrate one after the other."""


class SchemaTooNew(Unavailable):
    """The database was written by a newer version of the software."""

    code = "schema_too_new"


def head() -> str:
    """The newest revision that this code knows, from file names alone."""
    return max(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def current(connection: Connection) -> str | None:
    """The revision of the database; None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if revision is None else str(revision)


def migrate(connection: Connection) -> None:
    """Run what is pending on `connection`, inside its transaction.

    Raises `SchemaTooNew` when the database is ahead of this code.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
    before, newest = current(connection), head()
    if before == newest:
        return
    if before is not None and before > newest:
        raise SchemaTooNew(
            f"The database has schema {before}, this version knows up to {newest}. "
            "Run the newer version of the software, or restore a backup."
        )

    logging.getLogger("alembic").setLevel(logging.WARNING)
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    _log.info("database schema updated", before=before or "empty", after=newest)
