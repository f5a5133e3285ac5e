"""Fixtures of the functional tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.functional.site import MakeSite


@pytest.fixture(autouse=True)
def no_serious_log_lines(make_site: MakeSite) -> Iterator[None]:
    """Whatever a test does, no server logs an error or a traceback."""
    marks = {order: len(site.log) for order, site in make_site.sites.items()}
    yield
    for order, one in make_site.sites.items():
        mark = marks.get(order, 0)
        one.catch_up()
        assert not one.serious(mark), one.log_text(mark)
