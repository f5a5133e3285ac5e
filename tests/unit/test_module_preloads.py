"""Every page names each module that its scripts import, so that none is found late."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

WEB = Path(__file__).resolve().parents[2] / "web"
STATIC = WEB / "static"
TEMPLATES = WEB / "templates"
IMPORT = re.compile(r"""^(?:import|export)\b[^;]*?["'](\.{1,2}/[^"']+)["']""", re.MULTILINE)
NAMED = re.compile(r"""["']((?:js|vendor)/[^"']+\.js)["']""")

LATE = re.compile(r"/(chat-(card|comments|emotes|suggest)|tip|went-live)\.js$")
"""Modules that wait for somebody to write, to click, or for the page to stand."""


def imported_from(names: list[str]) -> set[str]:
    """`names` and all that they import, as names below web/static."""
    found: set[str] = set()
    waiting = [(STATIC / name).resolve() for name in names]
    while waiting:
        path = waiting.pop()
        name = path.relative_to(STATIC).as_posix()
        if name not in found:
            found.add(name)
            if "vendor" not in path.parts:
                waiting += [
                    (path.parent / one).resolve()
                    for one in IMPORT.findall(path.read_text())
                    if not LATE.search(one)
                ]
    return found


PAGES = ["home.html", "category.html", "channel_tab.html", "login.html", "channel.html"] + [
    f"studio/{path.name}" for path in sorted((TEMPLATES / "studio").glob("*.html"))
]


@pytest.mark.parametrize("page", PAGES)
def test_every_module_of_a_page_is_named_in_it(page: str) -> None:
    files = ["base.html", page]
    if 'extends "studio/frame.html"' in (TEMPLATES / page).read_text():
        files.append("studio/frame.html")
    if "player_head()" in (TEMPLATES / page).read_text():
        files.append("macros/player.html")
    if "chat_head(" in (TEMPLATES / page).read_text():
        files.append("macros/chat.html")
    named = [name for file in files for name in NAMED.findall((TEMPLATES / file).read_text())]
    named = [name for name in named if name != "js/chat-mock.js"]  # for design and tests
    assert set(named) == imported_from(named)
    scripts = [name for name in named if name in ("js/player.js", "js/app.js")]
    assert scripts, "nothing was looked at"


NAMES = re.compile(r"""^import\s*\{([^}]*)\}\s*from\s*["'](\./[^"']+)["']""", re.MULTILINE)
EXPORTED = re.compile(
    r"^export\s+(?:async\s+)?(?:function\*?|class|const|let)\s+(\w+)|^export\s*\{([^}]*)\}",
    re.MULTILINE,
)


@pytest.mark.parametrize("path", sorted((STATIC / "js").glob("*.js")), ids=lambda path: path.name)
def test_what_a_module_imports_is_there(path: Path) -> None:
    """One name that isn't stops the whole module, and `import().catch()` hides that."""
    for names, source in NAMES.findall(path.read_text()):
        wanted = {name.split(" as ")[0].strip() for name in names.split(",") if name.strip()}
        found: set[str] = set()
        for one, several in EXPORTED.findall((path.parent / source).read_text()):
            found |= {one} | {name.split(" as ")[-1].strip() for name in several.split(",")}
        assert wanted <= found, f"{source} doesn't export {wanted - found}"
