"""The mailbox of a site under test that has no mail server: read straight from its database."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

_CODE = re.compile(r"^ {4}(\d{4}) (\d{4})$", re.MULTILINE)
_WAIT_S = 20.0


@dataclass(frozen=True)
class Letter:
    """A mail as it would have been read."""

    to: str
    subject: str
    body: str

    @property
    def code(self) -> str:
        """The one-time code in it."""
        match = _CODE.search(self.body)
        assert match is not None, self.body
        return match[1] + match[2]


class Mailbox:
    """All mail that a site kept in its database, by the storage folder or a database URL."""

    def __init__(self, database: Path | str) -> None:
        if isinstance(database, Path):
            file = f"file:{database / 'mediaserver.db'}?mode=ro&uri=true"
            database = f"sqlite+aiosqlite:///{file}"
        self._url = database

    async def letters(self, to: str) -> list[Letter]:
        """Oldest first."""
        engine = create_async_engine(self._url)
        try:
            async with engine.connect() as connection:
                rows = await connection.execute(
                    text(
                        "SELECT recipient, subject, body FROM kept_mail WHERE recipient = :to "
                        "ORDER BY created_at_ms, id"
                    ),
                    {"to": to},
                )
                return [Letter(*row) for row in rows]
        finally:
            await engine.dispose()

    async def letter(
        self, to: str, *, after: int = 0, where: Callable[[Letter], bool] = lambda _: True
    ) -> Letter:
        """The first one that fits, behind the first `after` ones; waits for it."""
        async with asyncio.timeout(_WAIT_S):
            while True:
                fitting = [one for one in (await self.letters(to))[after:] if where(one)]
                if fitting:
                    return fitting[0]
                await asyncio.sleep(0.01)
