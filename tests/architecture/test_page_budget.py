"""What a page may weigh, and that vendored files are the recorded ones."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mediaserver.routes.static import BUNDLES

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "web" / "static"
TEMPLATES = ROOT / "web" / "templates"
KB = 1024
STATIC_CALL = re.compile(r"static\('((?:css|js|vendor)/[^']+\.(?:css|js))'\)")
IMPORT = re.compile(r"""(?:\bfrom\s+|^import\s+|\bimport\()["'](\.[^"']+\.js)["']""", re.MULTILINE)
LATE = re.compile(r"/(chat-(card|comments|emotes|suggest)|tip|went-live)\.js$")
"""Modules that wait for somebody to write, to click, or for the page to stand."""


def files_of(*templates: str) -> set[Path]:
    """CSS and JavaScript that a page loads: named in its templates, and what those import."""
    found: set[Path] = set()
    todo = [
        STATIC / name
        for template in templates
        for called in STATIC_CALL.findall((TEMPLATES / template).read_text())
        for name in BUNDLES.get(called, (called,))
    ]
    while todo:
        path = todo.pop().resolve()
        if path in found:
            continue
        if path.name == "chat-mock.js":
            continue  # for design and tests: no page that people get loads it
        found.add(path)
        if path.suffix == ".js" and "vendor" not in path.parts:
            imports = IMPORT.findall(path.read_text())
            todo += [path.parent / name for name in imports if not LATE.search(name)]
    return found


def weight(paths: set[Path]) -> int:
    return sum(len(gzip.compress(path.read_bytes(), 9)) for path in paths)


PLAYERLESS = [
    *("home.html", "category.html", "channel_tab.html"),
    *("login.html", "register.html", "setup.html"),
]


@pytest.mark.parametrize("page", PLAYERLESS)
def test_pages_without_player_are_light(page: str) -> None:
    assert weight(files_of("base.html", page)) <= 35 * KB


DESK = ["studio/frame.html", "studio/desk.html"]
"""Player, chat, forms and measurements at once: a streamer's page, so it may weigh more."""


@pytest.mark.parametrize("pages", [["channel.html"], DESK])
def test_pages_with_player_keep_their_budget(pages: list[str]) -> None:
    files = files_of("base.html", "macros/player.html", "macros/chat.html", *pages)
    hls = {STATIC / "vendor" / "hls" / "hls.light.min.js"}
    hls |= {STATIC / "js" / f"{name}.js" for name in ("hls-source", "dvr-source", "latency")}
    assert hls <= files
    # Instant playback begins without hls.js, which is fetched once the picture moves.
    assert weight(files - hls) <= 140 * KB
    assert weight(files) <= 258 * KB


PAGES = sorted(
    path.relative_to(TEMPLATES).as_posix()
    for path in TEMPLATES.rglob("*.html")
    if "macros" not in path.parts and path.name != "base.html"
)


@pytest.mark.parametrize("page", PAGES)
def test_style_keeps_its_budget(page: str) -> None:
    """What one page loads; nobody loads the style of every page at once."""
    text = (TEMPLATES / page).read_text()
    macros = [f"macros/{name}.html" for name in ("player", "chat") if f"{name}_head(" in text]
    frame = ["studio/frame.html"] if 'extends "studio/frame.html"' in text else []
    files = files_of("base.html", page, *frame, *macros)
    # half a kilobyte of it: lines of tips and the row of them on top of the chat
    budget = 18 * KB if page in DESK else 16.75 * KB
    assert weight({path for path in files if path.parent == STATIC / "css"}) <= budget


def test_own_scripts_stay_small() -> None:
    lines = sum(len(path.read_text().splitlines()) for path in (STATIC / "js").glob("*.js"))
    # 600 of them: alerts, goal and board in overlays, tips in the chat; 200: the dialog of a tip
    assert lines <= 7400


def test_vendored_files_are_the_recorded_ones() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "vendor"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_vendor_check_notices_a_changed_file() -> None:
    script = (ROOT / "scripts" / "vendor").read_text()
    space: dict[str, object] = {"__name__": "vendor", "__file__": str(ROOT / "scripts" / "vendor")}
    exec(compile(script, "vendor", "exec"), space)
    space["_digest"] = lambda _path: "0" * 64
    problems = space["check"](space["tomllib"].loads(space["MANIFEST"].read_text())["package"])  # type: ignore[operator, attr-defined]
    assert any("changed since it was fetched" in problem for problem in problems)


def test_no_template_carries_an_inline_script_or_style() -> None:
    for template in TEMPLATES.rglob("*.html"):
        text = template.read_text()
        for tag in re.findall(r"<script[^>]*>", text):
            assert "src=" in tag or 'type="application/json"' in tag, template
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=\"", text), template
