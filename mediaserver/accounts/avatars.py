"""Avatars: the pictures that people show beside their names, made anew and kept as files.

A new one gets a new name, so that every copy may be cached for good.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from mediaserver.accounts import profiles
from mediaserver.accounts.profiles import Profiles
from mediaserver.accounts.throttles import Rule, Throttles
from mediaserver.accounts.users import User
from mediaserver.kernel import limits
from mediaserver.kernel.db import Database
from mediaserver.kernel.ids import new_id
from mediaserver.kernel.images import ImageFolder, Images, ImageShape

AVATAR_SHAPE = ImageShape(
    width_max=limits.AVATAR_SIDE_MAX,
    height_max=limits.AVATAR_SIDE_MAX,
    bytes_max=limits.AVATAR_BYTES_MAX,
    upload_bytes_max=limits.AVATAR_UPLOAD_BYTES_MAX,
    kinds=("PNG", "WEBP", "JPEG", "GIF"),
)

_PREFIX = "ava"
_UPLOADS = Rule("avatar-user", limits.AVATAR_UPLOADS_BURST, limits.AVATAR_UPLOADS_INTERVAL_MS)


class Avatars:
    """An async context manager: entering removes pictures that a crash left behind."""

    def __init__(
        self,
        db: Database,
        profiles: Profiles,
        throttles: Throttles,
        images: Images,
        folder: Path,
    ) -> None:
        self._db = db
        self._profiles = profiles
        self._throttles = throttles
        self._images = images

        self._folder = ImageFolder(folder, _PREFIX)

    async def __aenter__(self) -> Self:
        await self._folder.remove_others(await self._db.read(profiles.avatar_ids))
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return

    async def put(self, user: User, image: bytes) -> str:
        """Show this picture from now on; its id.

        Raises `Invalid(field="picture")`, `TooLarge`, `RateLimited` or `Unavailable`.
        """
        await self._throttles.charge((_UPLOADS, _UPLOADS.key(user.id)))
        picture = await self._images.encode(image, AVATAR_SHAPE)
        image_id = new_id(_PREFIX)
        await self._folder.put(image_id, picture.webp)
        await self._show(user, image_id)
        return image_id

    async def remove(self, user: User) -> None:
        """Show none; nothing happens when there is none."""
        await self._show(user, None)

    def file(self, image_id: str) -> Path:
        """The picture as WebP. Raises `NotFound`."""
        return self._folder.path(image_id)

    async def read(self, image_id: str) -> bytes:
        """The same. Raises `NotFound`."""
        return await self._folder.read(image_id)

    async def remove_orphans(self) -> None:
        """Delete the files of what went with an account or a channel."""
        await self._folder.remove_orphans(await self._db.read(profiles.avatar_ids))

    async def _show(self, user: User, image_id: str | None) -> None:
        if (replaced := await self._profiles.set_avatar(user, image_id)) is not None:
            await self._folder.remove(replaced)
