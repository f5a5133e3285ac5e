"""Fixtures: a server per worker with the default settings, and servers to order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import pytest

from tests.functional.site import Site

MakeSite = Callable[..., Site]


@pytest.fixture(scope="session")
def make_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeSite]:
    """Start servers with settings and limits of one's own; all end with the session.

    `make_site(config={"media": {"preset": "lan"}}, limits={"STALL_S": 1.0})`. The same order gives
    the same server, so that tests share it.
    """
    sites: dict[str, Site] = {}

    def make(
        *,
        config: Mapping[str, Mapping[str, object]] | None = None,
        limits: Mapping[str, float] | None = None,
    ) -> Site:
        order = repr((config, limits))
        if order not in sites:
            site = Site(tmp_path_factory.mktemp("storage"), config=config, limits=limits)
            site.start()
            sites[order] = site
        return sites[order]

    try:
        yield make
    finally:
        codes = {order: site.stop() for order, site in sites.items()}
        assert set(codes.values()) <= {0}, f"exit codes {codes}"
        for order, site in sites.items():
            assert not site.serious(), f"{order}: {site.serious()}"


@pytest.fixture(scope="session")
def site(make_site: MakeSite) -> Site:
    """A server with the settings of a fresh installation."""
    return make_site()


@pytest.fixture(autouse=True)
def no_serious_log_lines(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test does, the server logs no error and no traceback."""
    used = [
        value
        for name in request.fixturenames
        if name.endswith("site") and isinstance(value := request.getfixturevalue(name), Site)
    ]
    marks = [(one, len(one.log)) for one in used]
    yield
    for one, mark in marks:
        one.catch_up()
        assert not one.serious(mark), one.log_text(mark)
