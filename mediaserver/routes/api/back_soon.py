"""The "back soon" picture over the API. The file itself: routes/pictures.py."""

from __future__ import annotations

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.personal_tokens import Scope
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Forbidden, NotFound, RateLimited, TooLarge, Unavailable
from mediaserver.routes.api.operation import Answer, Operations, caller
from mediaserver.routes.keys import BACK_SOON
from mediaserver.routes.live_view import back_soon_url

api = Operations("Channels", Scope.CHANNELS)


class BackSoonOut(Answer):
    """The picture that stands in players while the encoder is away."""

    url: str | None = Field(description="A WebP; null: there is none.")


@api.put(
    "/channels/{slug}/back-soon",
    "Set the back-soon picture",
    upload_bytes_max=limits.BACK_SOON_UPLOAD_BYTES_MAX,
    answer=BackSoonOut,
    sign_in=True,
    errors=(Forbidden, NotFound, TooLarge, RateLimited, Unavailable),
)
async def put_back_soon(request: web.Request, picture: bytes) -> BackSoonOut:
    """Takes a PNG, WebP or JPEG and makes it at most 1280 × 720. Players show it while the
    encoder is away.
    """
    changed = await request.app[BACK_SOON].put(caller(request), request.match_info["slug"], picture)
    return BackSoonOut(url=back_soon_url(changed))


@api.delete(
    "/channels/{slug}/back-soon",
    "Remove the back-soon picture",
    sign_in=True,
    errors=(Forbidden, NotFound),
)
async def remove_back_soon(request: web.Request) -> None:
    """Players show no picture while the encoder is away."""
    await request.app[BACK_SOON].remove(caller(request), request.match_info["slug"])
