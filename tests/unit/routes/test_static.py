"""Static files: URLs with hashes, and nothing outside the folder."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import shutil
from pathlib import Path
from urllib.parse import urljoin

import pytest
from aiohttp.test_utils import make_mocked_request

from mediaserver.kernel import limits
from mediaserver.kernel.errors import NotFound
from mediaserver.routes.static import BUNDLES, StaticFiles

FOREVER = "public, max-age=31536000, immutable"


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
    assert re.fullmatch(r"/static/~[0-9a-f]{16}/js/player.js", url)
    request = make_mocked_request("GET", url, headers={"Accept-Encoding": "gzip, br"})
    response = await static.answer(request, url.removeprefix("/static/"))
    assert response.headers["Cache-Control"] == FOREVER
    assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert response.headers["Content-Encoding"] == "gzip"
    body = (folder / "js" / "player.js").read_bytes()
    assert isinstance(response.body, bytes)
    assert gzip.decompress(response.body) == body


async def test_what_a_module_imports_is_kept_too(folder: Path) -> None:
    static = StaticFiles(folder)
    imported = urljoin(static.url("js/player.js"), "../icon.svg")
    assert imported == static.url("icon.svg")
    response = await static.answer(
        make_mocked_request("GET", imported), imported.removeprefix("/static/")
    )
    assert response.headers["Cache-Control"] == FOREVER


async def test_other_urls_are_checked_each_time(folder: Path) -> None:
    static = StaticFiles(folder)
    for name, query in (
        ("js/player.js", ""),
        ("js/player.js", "?v=old"),
        ("~/js/player.js", ""),
        ("~0123456789abcdef/js/player.js", ""),
    ):
        request = make_mocked_request("GET", f"/static/{name}{query}")
        response = await static.answer(request, name)
        assert response.headers["Cache-Control"] == "no-cache"
        assert "Content-Encoding" not in response.headers
    tag = {"If-None-Match": response.headers["ETag"]}
    request = make_mocked_request("GET", "/static/js/player.js", headers=tag)
    response = await static.answer(request, "js/player.js")
    assert (response.status, response.body) == (304, None)


async def test_urls_of_before_still_answer(folder: Path) -> None:
    version = hashlib.sha256((folder / "icon.svg").read_bytes()).hexdigest()[:16]
    request = make_mocked_request("GET", f"/static/icon.svg?v={version}")
    response = await StaticFiles(folder).answer(request, "icon.svg")
    assert response.headers["Cache-Control"] == FOREVER


async def test_a_changed_file_is_read_again(folder: Path) -> None:
    static = StaticFiles(folder)
    before = {name: static.url(name) for name in ("icon.svg", "js/player.js")}
    (folder / "icon.svg").write_text("<svg></svg>")
    os.utime(folder / "icon.svg", ns=(1, 1))
    name = before["icon.svg"].removeprefix("/static/")
    response = await static.answer(make_mocked_request("GET", before["icon.svg"]), name)
    assert response.body == b"<svg></svg>"
    assert response.headers["Cache-Control"] == "no-cache"
    assert all(static.url(name) != url for name, url in before.items())


def test_the_same_files_have_the_same_urls_everywhere(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy, symlinks=True)
    for path in copy.rglob("*.*"):
        os.utime(path, ns=(1, 1), follow_symlinks=False)
    url = StaticFiles(folder).url("icon.svg")
    assert StaticFiles(copy).url("icon.svg") == url
    (copy / "js" / "player.js").rename(copy / "js" / "other.js")
    assert StaticFiles(copy).url("icon.svg") != url


async def test_a_bundle_is_one_file(folder: Path) -> None:
    (folder / "one.css").write_text("@layer a, b;")
    (folder / "two.css").write_text("@layer b {}")
    static = StaticFiles(folder, bundles={"all.css": ("one.css", "two.css")})
    url = static.url("all.css")
    assert url.endswith("/all.css")
    response = await static.answer(make_mocked_request("GET", url), url.removeprefix("/static/"))
    assert response.body == b"@layer a, b;@layer b {}"
    assert response.headers["Content-Type"] == "text/css; charset=utf-8"
    (folder / "two.css").write_text("@layer b { a { top: 0 } }")
    assert static.url("all.css") != url
    (folder / "two.css").unlink()
    assert static.url("all.css") == "/static/all.css"


def test_every_bundle_has_its_files() -> None:
    static = Path(__file__).resolve().parents[3] / "web" / "static"
    assert all((static / part).is_file() for parts in BUNDLES.values() for part in parts)


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
        "~0123456789abcdef",
        "~0123456789abcdef/",
        "~0123456789abcdef/../secret.txt",
        "~0123456789abcdef/link.txt",
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
