"""Data folders as earlier versions left them: made by their own migrations, with rows in them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from mediaserver.kernel.db.migrate import MIGRATIONS

VERSIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010")


def make_site_of(version: str, path: Path) -> None:
    """A SQLite database with the schema `version` and something in each of its tables."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, version)
    engine.dispose()
    database = sqlite3.connect(path)
    database.execute("PRAGMA foreign_keys=ON")
    insert_rows(database)
    database.commit()
    database.close()


def insert_rows(database: sqlite3.Connection) -> None:
    database.execute(
        "INSERT INTO user_account (id, username, email, password_hash, is_admin, created_at_ms) "
        "VALUES ('usr_1', 'alice', 'alice@example.org', 'x', 1, 1)"
    )
