"""Fixtures of all tests: a PostgreSQL server for those that ask, one for each test process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.databases import POSTGRESQL_BINARIES, PostgresqlServer


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    if POSTGRESQL_BINARIES is None:
        pytest.skip("no PostgreSQL server below /usr/lib/postgresql")
    server = PostgresqlServer()
    try:
        server.start()
        yield server
    finally:
        server.stop()
