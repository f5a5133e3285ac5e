"""Pages: Jinja2 templates with what every page needs, and the policy they are sent with."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import jinja2

import mediaserver
from mediaserver.accounts.users import User
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import SiteConfig
from mediaserver.routes.moments import iso_moment, utc_moment
from mediaserver.routes.programs import program
from mediaserver.routes.static import StaticFiles

_CSP: Final = (
    "default-src 'none'; object-src 'none'; script-src 'self'; style-src 'self'{style}; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; media-src 'self' blob:; "
    "worker-src 'self'; manifest-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'"
)

CSP_PAGE: Final = _CSP.format(style="")
"""Every page without a player."""

CSP_PLAYER: Final = _CSP.format(style=" 'unsafe-inline'")
"""Pages with a player, whose controls write <style> elements into their shadow roots."""

THEMES: Final = ("auto", "light", "dark")


def web_folder() -> Path:
    """Templates and static files: inside an installed wheel, or at the top of a checkout."""
    package = Path(mediaserver.__file__).parent
    for folder in (package / "_web", package.parent / "web"):
        if (folder / "templates").is_dir():
            return folder
    raise FileNotFoundError("the folder with templates is missing from this installation")


class Renderer:
    """Turns a template and its context into HTML."""

    def __init__(self, folder: Path, site: SiteConfig, static: StaticFiles, clock: Clock) -> None:
        self._clock = clock

        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(folder),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(
            utc_moment=utc_moment, iso_moment=iso_moment, program=program
        )
        self._environment.globals.update(
            site=site,  # read when a page is made: an admin may have changed it
            static=static.url,
            version=mediaserver.__version__,
        )

    def has(self, template: str) -> bool:
        try:
            self._environment.get_template(template)
        except jinja2.TemplateNotFound:
            return False
        return True

    def html(
        self,
        template: str,
        *,
        user: User | None,
        theme: str,
        path: str,
        context: dict[str, Any],
        unread: int = 0,
    ) -> str:
        return self._environment.get_template(template).render(
            user=None
            if user is None
            else {
                "username": user.username,
                "is_admin": user.is_admin,
                "is_banned": user.is_banned,
            },
            unread=unread,
            theme=theme,
            path=path,
            now_ms=self._clock.wall_ms(),
            **context,
        )
