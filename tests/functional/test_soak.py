"""Three streams beside each other for a minute: no rule of the playlist is broken."""

from __future__ import annotations

from pathlib import Path

from tests.functional.site import Site
from tests.functional.soak import soak


async def test_a_minute(site: Site, tmp_path: Path) -> None:
    await soak(site, tmp_path, media_s=60.0)
