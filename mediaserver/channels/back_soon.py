"""The picture that stands in a player while the encoder is away, one for each channel.

It is made anew from what is uploaded (kernel/images.py) and kept under a name of its own; a new one
gets a new name, so that every copy may be cached for good.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from mediaserver.accounts.throttles import Rule, Throttles
from mediaserver.accounts.users import User
from mediaserver.channels import channels
from mediaserver.channels.channels import Channel
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database
from mediaserver.kernel.errors import Forbidden, NotFound
from mediaserver.kernel.ids import new_id
from mediaserver.kernel.images import ImageFolder, Images, ImageShape

BACK_SOON_SHAPE = ImageShape(
    width_max=limits.BACK_SOON_WIDTH_MAX,
    height_max=limits.BACK_SOON_HEIGHT_MAX,
    bytes_max=limits.BACK_SOON_BYTES_MAX,
    upload_bytes_max=limits.BACK_SOON_UPLOAD_BYTES_MAX,
    kinds=("PNG", "WEBP", "JPEG"),
)

_PREFIX = "bks"
_UPLOADS = Rule(
    "back-soon-user", limits.BACK_SOON_UPLOADS_BURST, limits.BACK_SOON_UPLOADS_INTERVAL_MS
)


class BackSoon:
    """An async context manager: entering removes pictures that a crash left behind."""

    def __init__(
        self, db: Database, clock: Clock, throttles: Throttles, images: Images, folder: Path
    ) -> None:
        self._db = db
        self._clock = clock
        self._throttles = throttles
        self._images = images

        self._folder = ImageFolder(folder, _PREFIX)

    async def __aenter__(self) -> Self:
        await self._folder.remove_others(await self._db.read(channels.back_soon_ids))
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return

    async def put(self, actor: User, slug: str, image: bytes) -> Channel:
        """Show this picture from now on.

        Raises `NotFound`, `Forbidden`, `Invalid(field="picture")`, `TooLarge`, `RateLimited` or
        `Unavailable`.
        """
        await self._db.read(channels.get_managed, actor, slug)
        await self._throttles.charge((_UPLOADS, _UPLOADS.key(actor.id)))
        picture = await self._images.encode(image, BACK_SOON_SHAPE)
        image_id = new_id(_PREFIX)
        await self._folder.put(image_id, picture.webp)
        try:
            return await self._set(actor, slug, image_id)
        except (Forbidden, NotFound):  # after any other error it may yet be committed
            await self._folder.remove(image_id)
            raise

    async def remove(self, actor: User, slug: str) -> Channel:
        """Show none. Raises `NotFound` (also when there is none) or `Forbidden`."""
        channel = await self._db.read(channels.get_managed, actor, slug)
        if channel.back_soon is None:
            raise NotFound("There is no such picture.", code="picture_not_found")
        return await self._set(actor, slug, None)

    async def remove_orphans(self) -> None:
        """Delete the files of what went with an account or a channel."""
        await self._folder.remove_orphans(await self._db.read(channels.back_soon_ids))

    def file(self, image_id: str) -> Path:
        """The picture as WebP. Raises `NotFound`."""
        return self._folder.path(image_id)

    async def _set(self, actor: User, slug: str, image_id: str | None) -> Channel:
        changed, replaced = await self._db.write(
            channels.set_back_soon, actor, slug, image_id, self._clock.wall_ms()
        )
        if replaced is not None:
            await self._folder.remove(replaced)
        return changed
