"""Documents as downloads: one's own here, anybody's below /admin. Nobody else learns that there is
one.
"""

from __future__ import annotations

from aiohttp import web

from mediaserver.accounts.permissions import Action
from mediaserver.channels.documents import Document
from mediaserver.routes.keys import DOCUMENTS
from mediaserver.routes.page import signed_in
from mediaserver.routes.pages.admin.frame import acting_admin


async def show_document(request: web.Request) -> web.Response:
    user = signed_in(request)
    return document_answer(*await request.app[DOCUMENTS].read(user, request.match_info["id"]))


async def show_anybodys_document(request: web.Request) -> web.Response:
    actor = await acting_admin(request, Action.READ_DOCUMENT)
    return document_answer(*await request.app[DOCUMENTS].read_for(actor, request.match_info["id"]))


def document_answer(found: Document, data: bytes) -> web.Response:
    """The file, to be saved: no browser shows it as a part of this site."""
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


routes = [
    web.get("/documents/{id}", show_document),
    web.get("/admin/documents/{id}", show_anybodys_document),
]
