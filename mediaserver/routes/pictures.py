"""Pictures that people uploaded, made anew: /avatars, /emotes, /back-soon and /alert-pictures,
each /{id}.webp.

A new picture has a new address, so every copy may be kept for good.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from mediaserver.kernel import limits
from mediaserver.routes.keys import ALERTS, AVATARS, BACK_SOON, EMOTES

_HEADERS = {
    "Content-Type": "image/webp",
    "Cache-Control": f"public, max-age={limits.PICTURE_MAX_AGE_S}, immutable",
}


async def _emote(request: web.Request) -> web.FileResponse:
    return await _picture(request, request.app[EMOTES].file)


async def _back_soon(request: web.Request) -> web.FileResponse:
    return await _picture(request, request.app[BACK_SOON].file)


async def _avatar(request: web.Request) -> web.FileResponse:
    return await _picture(request, request.app[AVATARS].file)


async def _alert(request: web.Request) -> web.FileResponse:
    return await _picture(request, request.app[ALERTS].file)


async def _picture(request: web.Request, find: Callable[[str], Path]) -> web.FileResponse:
    path = await asyncio.to_thread(find, request.match_info["id"])  # it looks at the disk
    return web.FileResponse(path, headers=_HEADERS)


routes = [
    web.get("/avatars/{id}.webp", _avatar),
    web.get("/emotes/{id}.webp", _emote),
    web.get("/back-soon/{id}.webp", _back_soon),
    web.get("/alert-pictures/{id}.webp", _alert),
]
"""They need no session."""
