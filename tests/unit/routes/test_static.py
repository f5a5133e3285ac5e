"""Static files: URLs with hashes, and nothing outside the folder."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from aiohttp.test_utils import make_mocked_request

from mediaserver.kernel import limits
from mediaserver.kernel.errors import NotFound
from mediaserver.routes.static import StaticFiles


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "static"
    (root / "js").mkdir(parents=True)
    (root / "js" / "player.js").write_text("export const x = 1;\n" * 200)
    (root / "icon.svg").write_text("<svg/>")
    (root / ".hidden").write_text("secret")
    (tmp_path / "secret.txt").write_text("secret")
    (root / "link.txt").symlink_to(tmp_path / "secret.txt")
    return root


async def test_a_hashed_url_is_kept_for_good(folder: Path) -> None:
    static = StaticFiles(folder)
    url = static.url("js/player.js")
    assert url.startswith("/static/js/player.js?v=")
    request = make_mocked_request("GET", url, headers={"Accept-Encoding": "gzip, br"})
    response = await static.answer(request, "js/player.js")
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert response.headers["Content-Encoding"] == "gzip"
    body = (folder / "js" / "player.js").read_bytes()
    assert isinstance(response.body, bytes)
    assert gzip.decompress(response.body) == body


async def test_other_urls_are_checked_each_time(folder: Path) -> None:
    static = StaticFiles(folder)
    for query in ("", "?v=old"):
        request = make_mocked_request("GET", "/static/js/player.js" + query)
        response = await static.answer(request, "js/player.js")
        assert response.headers["Cache-Control"] == "no-cache"
        assert "Content-Encoding" not in response.headers
    tag = {"If-None-Match": response.headers["ETag"]}
    request = make_mocked_request("GET", "/static/js/player.js", headers=tag)
    response = await static.answer(request, "js/player.js")
    assert (response.status, response.body) == (304, None)


async def test_a_changed_file_is_read_again(folder: Path) -> None:
    static = StaticFiles(folder)
    before = static.url("icon.svg")
    (folder / "icon.svg").write_text("<svg></svg>")
    os.utime(folder / "icon.svg", ns=(1, 1))
    assert static.url("icon.svg") != before
    response = await static.answer(make_mocked_request("GET", before), "icon.svg")
    assert response.body == b"<svg></svg>"
    assert response.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "js",
        "js/",
        "nothing.js",
        "../secret.txt",
        "js/../../secret.txt",
        "js//player.js",
        "./icon.svg",
        "/etc/passwd",
        "..\\secret.txt",
        "icon.svg\0.txt",
        ".hidden",
        "link.txt",
        "x" * 5000,
        "C:/x",
    ],
)
async def test_nothing_else_is_served(folder: Path, name: str) -> None:
    static = StaticFiles(folder)
    with pytest.raises(NotFound):
        await static.answer(make_mocked_request("GET", "/static/x"), name)


async def test_memory_is_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STATIC_FILES_MAX", 1)
    static = StaticFiles(folder)
    static.url("icon.svg")
    static.url("js/player.js")
    assert list(static._files) == ["js/player.js"]
    monkeypatch.setattr(limits, "STATIC_FILE_BYTES_MAX", 100)
    with pytest.raises(NotFound):
        await StaticFiles(folder).answer(make_mocked_request("GET", "/x"), "js/player.js")


def test_a_missing_file_has_a_plain_url(folder: Path) -> None:
    assert StaticFiles(folder).url("css/later file.css") == "/static/css/later%20file.css"
