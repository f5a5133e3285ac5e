"""Fixtures: a server per worker with the default settings, and servers to order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from tests.functional.site import Site


class MakeSite:
    """Starts servers with settings and limits of one's own; all of them end with the session.

    `make_site(config={"media": {"preset": "lan"}}, limits={"STALL_S": 1.0})`. The same order gives
    the same server, so that tests share it.
    """

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self._folders = folders

        self.sites: dict[str, Site] = {}

    def __call__(
        self,
        *,
        config: Mapping[str, Mapping[str, object]] | None = None,
        limits: Mapping[str, float] | None = None,
    ) -> Site:
        order = repr((config, limits))
        if order not in self.sites:
            site = Site(self._folders.mktemp("storage"), config=config, limits=limits)
            site.start()
            self.sites[order] = site
        return self.sites[order]


@pytest.fixture(scope="session")
def make_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeSite]:
    make = MakeSite(tmp_path_factory)
    yield make
    codes = {order: site.stop() for order, site in make.sites.items()}
    assert set(codes.values()) <= {0}, f"exit codes {codes}"


@pytest.fixture(scope="session")
def site(make_site: MakeSite) -> Site:
    """A server with the settings of a fresh installation."""
    return make_site()


@pytest.fixture(autouse=True)
def no_serious_log_lines(make_site: MakeSite) -> Iterator[None]:
    """Whatever a test does, no server logs an error or a traceback."""
    marks = {order: len(site.log) for order, site in make_site.sites.items()}
    yield
    for order, one in make_site.sites.items():
        mark = marks.get(order, 0)
        one.catch_up()
        assert not one.serious(mark), one.log_text(mark)
