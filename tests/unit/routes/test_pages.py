"""Small rules of pages: where a redirect may lead, what is shown once."""

from __future__ import annotations

import pytest

from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.routes.page import local_path
from mediaserver.routes.shown_once import NewKey, ShownOnce


@pytest.mark.parametrize("path", ["/", "/studio", "/@alice?x=1&y=%20", "/a//b", "/a#b"])
def test_paths_of_this_site(path: str) -> None:
    assert local_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "studio",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "/a\r\nSet-Cookie: x=y",
        "/a\nb",
        "/\tevil",
        "/ü",
        "/" + "x" * 3000,
        " /studio",
    ],
)
def test_other_places(path: str) -> None:
    assert local_path(path, "/home") == "/home"


def test_a_key_is_shown_once() -> None:
    clock = FakeClock()
    shown = ShownOnce(clock)
    key = NewKey("OBS", "live_x")
    shown.put("usr_1", "alice", key)
    assert shown.take("usr_2", "alice") is None
    assert shown.take("usr_1", "other") is None
    assert shown.take("usr_1", "alice") == key
    assert shown.take("usr_1", "alice") is None
    shown.put("usr_1", "alice", key)
    clock.advance(limits.SHOWN_ONCE_MS)
    assert shown.take("usr_1", "alice") is None


def test_waiting_keys_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SHOWN_ONCE_MAX", 3)
    shown = ShownOnce(FakeClock())
    for n in range(5):
        shown.put("usr_1", f"slug{n}", NewKey("OBS", "live_x"))
    assert [shown.take("usr_1", f"slug{n}") is not None for n in range(5)] == [
        False,
        False,
        True,
        True,
        True,
    ]
