"""What a stream is about: title, category, tags, declarations and flags, checked in one place.

A channel has it as its current state, and each stream keeps a copy: both tables have `columns()`.
Called by channels.py and streams.py, which own those tables.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.schema import Column, SchemaItem

from mediaserver.channels import categories
from mediaserver.kernel import limits
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.db.schema import flag, text
from mediaserver.kernel.errors import Invalid
from mediaserver.kernel.texts import checked_line, checked_paragraphs

FLAGS = ("brand_promotion", "recorded_content", "age_restricted", "not_general")

SHARED = ("title", "category_id", "tags", *FLAGS, "not_general_reason")
"""The columns that a channel and its stream take over from each other. Each keeps its own
description: of the channel as a whole, and of this one stream."""


class Changes(TypedDict, total=False):
    """What to change; None, like a name that is missing, leaves it as it is."""

    title: str | None
    description: str | None
    category: str | None  # a slug; "" for none
    tags: Sequence[str] | None
    brand_promotion: bool | None
    recorded_content: bool | None
    age_restricted: bool | None
    not_general: bool | None
    not_general_reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Information:
    """What a stream is about. `category` is its name, as people read it.

    `brand_promotion` and `recorded_content` are what the streamer declares; `age_restricted` and
    `not_general` put a gate before the page, the latter with a reason.
    """

    title: str = ""
    description: str = ""
    category: str | None = None
    category_slug: str | None = None
    tags: tuple[str, ...] = ()
    brand_promotion: bool = False
    recorded_content: bool = False
    age_restricted: bool = False
    not_general: bool = False
    not_general_reason: str = ""


def columns() -> tuple[SchemaItem, ...]:
    """The columns of it that both tables have; `title` and `description` are their own."""
    return (
        text("category_id", ForeignKey("category.id"), index=True, nullable=True),
        Column("tags", text("tags").type, nullable=False, server_default="[]"),
        *(flag(name) for name in FLAGS),
        Column(
            "not_general_reason", text("not_general_reason").type, nullable=False, server_default=""
        ),
        *(CheckConstraint(f"{name} IN (0, 1)", name=name) for name in FLAGS),
        CheckConstraint(
            "(not_general = 1) = (length(not_general_reason) > 0)", name="not_general_reason"
        ),
    )


def checked(tx: Transaction, changes: Changes, before: Information) -> dict[str, Any]:
    """The columns that change, as they are stored. Raises `Invalid`."""
    values: dict[str, Any] = {}
    if (title := changes.get("title")) is not None:
        values["title"] = checked_line(title, "title", limits.CHANNEL_TITLE_CHARS_MAX)
    if (description := changes.get("description")) is not None:
        values["description"] = checked_paragraphs(
            description, "description", limits.CHANNEL_DESCRIPTION_CHARS_MAX
        )
    if (slug := changes.get("category")) is not None:
        values["category_id"] = category_id(tx, slug, before.category_slug)
    if (tags := changes.get("tags")) is not None:
        values["tags"] = json.dumps(checked_tags(tags), ensure_ascii=False)
    for name in FLAGS:
        if (value := changes.get(name)) is not None:
            values[name] = int(bool(value))
    reason, is_set = changes.get("not_general_reason"), changes.get("not_general")
    if reason is not None or is_set is not None:
        given = before.not_general_reason if reason is None else reason
        is_flagged = before.not_general if is_set is None else is_set
        values["not_general_reason"] = _checked_reason(given) if is_flagged else ""
    return values


def category_id(tx: Transaction, slug: str, before: str | None) -> str | None:
    """The id of the category `slug`; None for "". A hidden one may stay where it was `before`.

    Raises `Invalid`.
    """
    slug = slug.strip()
    if not slug:
        return None
    found = categories.find(tx, slug)
    if found is None or (found.is_hidden and slug != before):
        raise Invalid("There is no such category.", field="category")
    return found.id


def checked_tags(tags: Sequence[str]) -> list[str]:
    """Without empty ones and repetitions, in the order given. Raises `Invalid`."""
    if len(tags) > limits.TAGS_GIVEN_MAX:
        raise Invalid(f"Use at most {limits.TAGS_MAX} tags.", field="tags")
    found: dict[str, str] = {}
    for given in tags:
        tag = checked_line(given.strip().lstrip("#"), "tags", limits.TAG_CHARS_MAX)
        if "," in tag:
            raise Invalid("A tag can't hold a comma.", field="tags")
        if tag:
            found.setdefault(tag.casefold(), tag)
    if len(found) > limits.TAGS_MAX:
        raise Invalid(f"Use at most {limits.TAGS_MAX} tags.", field="tags")
    return list(found.values())


def split_tags(text_: str) -> list[str]:
    """Tags as people type them into one field, with commas between them."""
    return [tag for tag in text_.split(",") if tag.strip()]


def of_row(row: Any) -> dict[str, Any]:
    """The values of `Information` in a row that has `columns()`, and its category joined."""
    return {
        "title": row.title,
        "description": row.description,
        "category": row.category,
        "category_slug": row.category_slug,
        "tags": tuple(json.loads(row.tags)),
        "not_general_reason": row.not_general_reason,
        **{name: bool(getattr(row, name)) for name in FLAGS},
    }


def _checked_reason(reason: str) -> str:
    reason = checked_line(reason, "not_general_reason", limits.NOT_GENERAL_REASON_CHARS_MAX)
    if not reason:
        raise Invalid(
            "Say in a few words why the stream is not for everybody.", field="not_general_reason"
        )
    return reason
