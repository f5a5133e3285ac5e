"""Money for functional tests: a running site whose wallets can be filled without a gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from aiohttp import web
from sqlalchemy import update

from mediaserver.accounts.users import find_by_typed_name, user_account
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.ids import new_id
from mediaserver.money import ledger
from mediaserver.money.contributions import Contribution, Words
from mediaserver.money.ledger import Posting, Transfer, clearing_of, wallet_of
from mediaserver.routes import keys
from mediaserver.server import money
from mediaserver.server.foundations import Foundations
from tests.functional.platform_site import Person, Site, running_site


@dataclass
class Till:
    """The site's books, from behind."""

    site: Site
    parts: list[tuple[Foundations, web.Application]] = field(default_factory=list)

    async def streamer(self, name: str = "alice") -> Person:
        """A verified streamer with a channel of the same name."""
        person = await self.site.streamer(name)
        base, _ = self.parts[0]
        await base.db.write(_verify, name)
        return person

    async def tip(
        self, sender: str, slug: str, amount_minor: int, message: str = "", **words: Any
    ) -> Contribution:
        """A tip from the wallet of `sender`, which is filled first."""
        base, app = self.parts[0]
        await base.db.write(_fill, sender, amount_minor)
        user = await base.db.read(find_by_typed_name, sender)
        assert user is not None
        return await app[keys.TIPS].give(user, slug, amount_minor, Words(message, **words))


@asynccontextmanager
async def running_till(tmp_path: Path, **sections: dict[str, Any]) -> AsyncIterator[Till]:
    """A running site."""
    parts: list[tuple[Foundations, web.Application]] = []
    add_money = money.add_money

    async def noted(base: Foundations, app: web.Application) -> None:
        parts.append((base, app))
        await add_money(base, app)

    with patch.object(money, "add_money", noted):
        async with running_site(tmp_path, **sections) as site:
            yield Till(site, parts)


def _verify(tx: Transaction, username: str) -> None:
    tx.execute(
        update(user_account).where(user_account.c.username == username).values(is_verified=1)
    )


def _fill(tx: Transaction, username: str, amount_minor: int) -> None:
    """As if a payment had come."""
    user = find_by_typed_name(tx, username)
    assert user is not None
    paid = Transfer(clearing_of("sandbox", "USD"), wallet_of(user.id, "USD"), amount_minor)
    ledger.post(tx, Posting("topup", f"test:{new_id('tst')}", (paid,)), 1_000)
