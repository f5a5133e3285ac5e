"""Categories over the API."""

from __future__ import annotations

import dataclasses

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.personal_tokens import Scope
from mediaserver.channels.categories import Category
from mediaserver.kernel.errors import NotFound
from mediaserver.routes.api.live import CardOut
from mediaserver.routes.api.operation import Answer, Operations
from mediaserver.routes.keys import CATEGORIES, CHANNELS, LIVE
from mediaserver.routes.live_view import cards, watchable

api = Operations("Categories", Scope.ADMIN)


class CategoryOut(Answer):
    """A category."""

    slug: str
    name: str
    icon: str = Field(description="A name in the sprite of the pages.")


class CategoryList(Answer):
    """Categories in the order in which they are shown."""

    categories: list[CategoryOut]


class CategoryPageOut(CategoryOut):
    """A category with who is live in it."""

    streams: list[CardOut]


@api.get("/categories", "List categories", answer=CategoryList)
async def list_categories(request: web.Request) -> CategoryList:
    """What streams are sorted by."""
    found = await request.app[CATEGORIES].list_all()
    return CategoryList(categories=[CategoryOut(**_fields(one)) for one in found])


@api.get("/categories/{slug}", "Show a category", answer=CategoryPageOut, errors=(NotFound,))
async def show_category(request: web.Request) -> CategoryPageOut:
    """One category, with its live streams, most watched first."""
    category = await request.app[CATEGORIES].get(request.match_info["slug"])
    live = watchable(request.app[LIVE])
    channels = await request.app[CHANNELS].list_by_slug([status.channel for status in live])
    inside = [one for one in channels if one.category_slug == category.slug]
    return CategoryPageOut(
        **_fields(category),
        streams=[CardOut(**dataclasses.asdict(card)) for card in cards(live, inside)],
    )


def _fields(category: Category) -> dict[str, str]:
    return {"slug": category.slug, "name": category.name, "icon": category.icon}
