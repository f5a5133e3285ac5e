"""Fixtures of all tests: a PostgreSQL server and running sites, for each test process its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from tests.databases import POSTGRESQL_BINARIES, PostgresqlServer
from tests.functional.site import MakeSite, Site


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--save-screenshots",
        metavar="FOLDER",
        help="keep pictures of the main pages, for README and docs",
    )


class _Lanes(LoadFileScheduling):
    """A file's tests share their servers, so they stay in one process; all browser tests do, as two
    browsers at once keep each other from playing in time."""

    def _split_scope(self, nodeid: str) -> str:
        return "browser" if nodeid.startswith("tests/browser/") else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _Lanes:
    return _Lanes(config, log)


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


@pytest.fixture(scope="session")
def make_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeSite]:
    make = MakeSite(tmp_path_factory.mktemp)
    yield make
    codes = {order: site.stop() for order, site in make.sites.items()}
    assert set(codes.values()) <= {0}, f"exit codes {codes}"


@pytest.fixture(scope="session")
def site(make_site: MakeSite) -> Site:
    """A server with the settings of a fresh installation."""
    return make_site()
