"""Who counts as one viewer, and who as none."""

from __future__ import annotations

from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from mediaserver.kernel import limits
from mediaserver.routes.viewers import mark_viewer, viewer_of


def _request(**headers: str) -> web.Request:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return make_mocked_request("GET", "/live/a/b/media.m3u8", headers=fields)


def _marked(request: web.Request) -> str | None:
    response = web.Response()
    mark_viewer(request, response)
    cookie = response.cookies.get("viewer")
    return None if cookie is None else cookie.value


def test_two_browsers_behind_one_address_are_two() -> None:
    keys = {
        viewer_of(_request(Cookie=f"viewer={_marked(_request())}", User_Agent="Firefox"))
        for _ in range(2)
    }
    assert len(keys) == 2
    assert None not in keys


def test_a_browser_that_comes_again_is_the_same() -> None:
    cookie = f"viewer={_marked(_request())}"
    assert _marked(_request(Cookie=cookie)) is None, "it has one already"
    again = {viewer_of(_request(Cookie=cookie, User_Agent=agent)) for agent in ("a", "b")}
    assert len(again) == 1


def test_the_cookie_is_for_this_visit_and_not_for_scripts() -> None:
    response = web.Response()
    mark_viewer(_request(), response)
    cookie = response.cookies["viewer"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    assert "max-age" not in cookie.OutputString().lower()


def test_without_a_cookie_address_and_program_count() -> None:
    one, other = _request(User_Agent="VLC"), _request(User_Agent="mpv")
    assert viewer_of(one) == viewer_of(_request(User_Agent="VLC"))
    assert viewer_of(one) != viewer_of(other)
    for made_up in ("x", "a b", "x" * 65, "é" * 20):
        assert viewer_of(_request(User_Agent="VLC", Cookie=f"viewer={made_up}")) == viewer_of(one)
        assert _marked(_request(Cookie=f"viewer={made_up}")) is not None
    key = viewer_of(_request(User_Agent="x" * 5000))
    assert key is not None
    assert len(key) == limits.VIEWER_KEY_CHARS_MAX


def test_the_studio_preview_is_no_viewer() -> None:
    assert viewer_of(_request(X_Preview="1", Cookie=f"viewer={_marked(_request())}")) is None
