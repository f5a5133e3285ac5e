"""The player's page names every module that the player imports, so that none is found late."""

from __future__ import annotations

import re
from pathlib import Path

WEB = Path(__file__).resolve().parents[2] / "web"
STATIC = WEB / "static"
IMPORT = re.compile(r"""^(?:import|export)\b[^;]*?["'](\.{1,2}/[^"']+)["']""", re.MULTILINE)


def imported_from(module: Path) -> set[str]:
    """`module` and all that it imports, as names below web/static."""
    found: set[str] = set()
    waiting = [module.resolve()]
    while waiting:
        path = waiting.pop()
        name = path.relative_to(STATIC).as_posix()
        if name not in found:
            found.add(name)
            if "vendor" not in path.parts:
                waiting += [
                    (path.parent / one).resolve() for one in IMPORT.findall(path.read_text())
                ]
    return found


def test_every_module_of_the_player_is_preloaded() -> None:
    macro = (WEB / "templates" / "macros" / "player.html").read_text()
    head = macro.partition("macro player_head()")[2].partition("endmacro")[0]
    listed = re.findall(r'"((?:js|vendor)/[^"]+\.js)"', head)
    assert set(listed) == imported_from(STATIC / "js" / "player.js")
    assert len(listed) == len(set(listed))
