"""Changing categories over the API. Reading them: routes/api/categories.py."""

from __future__ import annotations

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.permissions import Action, check
from mediaserver.accounts.personal_tokens import Scope
from mediaserver.channels.categories import Category
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from mediaserver.routes.api.operation import Answer, Body, Operations, acting, caller
from mediaserver.routes.keys import CATEGORY_CHANGES

api = Operations("Admin: categories", Scope.ADMIN)


class NewCategory(Body):
    name: str = Field(max_length=200, examples=["Boats"])
    icon: str = Field(max_length=40, description="A name in the sprite.", examples=["leaf"])


class CategoryEdit(Body):
    """What isn't named stays as it is."""

    name: str | None = Field(None, max_length=200, examples=["Ships"])
    icon: str | None = Field(None, max_length=40, examples=["plane"])
    is_hidden: bool | None = Field(None, description="Offered to nobody.")
    move: int | None = Field(
        None,
        ge=-limits.CATEGORIES_MAX,
        le=limits.CATEGORIES_MAX,
        description="So many places later in the list; negative: earlier.",
    )


class MergeBody(Body):
    into: str = Field(max_length=100, description="A slug.", examples=["games"])


class ChangedCategoryOut(Answer):
    """A category as admins see it."""

    slug: str = Field(examples=["boats"])
    name: str = Field(examples=["Boats"])
    icon: str = Field(examples=["leaf"])
    is_hidden: bool


class UsedCategoryOut(ChangedCategoryOut):
    """A category with how many channels are in it."""

    channels: int


class UsedCategoryList(Answer):
    """In the order in which the site shows them."""

    categories: list[UsedCategoryOut]


@api.get(
    "/admin/categories",
    "List all categories",
    answer=UsedCategoryList,
    sign_in=True,
    errors=(Forbidden,),
)
async def list_all_categories(request: web.Request) -> UsedCategoryList:
    """The hidden ones too."""
    check(caller(request), Action.CHANGE_CATEGORIES)
    found = await request.app[CATEGORY_CHANGES].list_all()
    return UsedCategoryList(
        categories=[
            UsedCategoryOut(**_fields(used.category), channels=used.channels) for used in found
        ]
    )


@api.post(
    "/admin/categories",
    "Make a category",
    body=NewCategory,
    answer=ChangedCategoryOut,
    status=201,
    sign_in=True,
    errors=(Conflict, Forbidden, Invalid),
)
async def make_category(request: web.Request, body: NewCategory) -> ChangedCategoryOut:
    """Its slug is made of its name, and stays when the name changes."""
    actor = acting(request, Action.CHANGE_CATEGORIES)
    made = await request.app[CATEGORY_CHANGES].make(actor, body.name, body.icon)
    return ChangedCategoryOut(**_fields(made))


@api.patch(
    "/admin/categories/{slug}",
    "Change a category",
    body=CategoryEdit,
    answer=ChangedCategoryOut,
    sign_in=True,
    errors=(Forbidden, Invalid, NotFound),
)
async def change_category(request: web.Request, body: CategoryEdit) -> ChangedCategoryOut:
    """A hidden category keeps its channels and its page; nobody can choose it any more."""
    actor = acting(request, Action.CHANGE_CATEGORIES)
    slug = request.match_info["slug"]
    changed = await request.app[CATEGORY_CHANGES].change(
        actor, slug, name=body.name, icon=body.icon, is_hidden=body.is_hidden
    )
    if body.move:
        await request.app[CATEGORY_CHANGES].move(actor, slug, body.move)
    return ChangedCategoryOut(**_fields(changed))


@api.post(
    "/admin/categories/{slug}/merge",
    "Merge a category",
    body=MergeBody,
    answer=ChangedCategoryOut,
    sign_in=True,
    confirm=True,
    errors=(Forbidden, Invalid, NotFound),
)
async def merge_category(request: web.Request, body: MergeBody) -> ChangedCategoryOut:
    """Puts everything in it into another one, and removes it."""
    actor = acting(request, Action.CHANGE_CATEGORIES)
    target = await request.app[CATEGORY_CHANGES].merge(actor, request.match_info["slug"], body.into)
    return ChangedCategoryOut(**_fields(target))


def _fields(category: Category) -> dict[str, str | bool]:
    return {
        "slug": category.slug,
        "name": category.name,
        "icon": category.icon,
        "is_hidden": category.is_hidden,
    }
