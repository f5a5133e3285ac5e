"""Documents as downloads, for their owner and admins. Nobody else learns that there is one."""

from __future__ import annotations

from aiohttp import web

from mediaserver.accounts.users import User
from mediaserver.routes.keys import DOCUMENTS
from mediaserver.routes.page import signed_in


async def show_document(request: web.Request) -> web.Response:
    return await document_answer(request, signed_in(request), request.match_info["id"])


async def document_answer(request: web.Request, user: User, document_id: str) -> web.Response:
    """The file, to be saved: no browser shows it as a part of this site. Raises `NotFound`."""
    found, data = await request.app[DOCUMENTS].read(user, document_id, request.remote or "")
    return web.Response(
        body=data,
        content_type=found.media_type,
        headers={
            "Content-Disposition": f'attachment; filename="{found.filename}"',
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        },
    )


routes = [web.get("/documents/{id}", show_document)]
