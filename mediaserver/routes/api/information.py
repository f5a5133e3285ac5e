"""What a stream is about, as the API takes it and tells it: shared by channels and streams."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from mediaserver.channels.information import FLAGS, Changes, Information
from mediaserver.kernel import limits
from mediaserver.routes.api.operation import Answer, Body


class InformationChange(Body):
    """Fields of a body; what is left out or null stays as it is."""

    title: str | None = Field(None, max_length=limits.CHANNEL_TITLE_CHARS_MAX)
    description: str | None = Field(None, max_length=limits.CHANNEL_DESCRIPTION_CHARS_MAX)
    category: str | None = Field(
        None,
        description="The slug of a category; empty for none.",
        max_length=limits.CATEGORY_SLUG_CHARS_MAX,
        examples=["music"],
    )
    tags: list[str] | None = Field(
        None,
        description=f"At most {limits.TAGS_MAX} of {limits.TAG_CHARS_MAX} characters.",
        max_length=limits.TAGS_GIVEN_MAX,
    )
    brand_promotion: bool | None = Field(
        None, description="The streamer is paid for what it shows."
    )
    recorded_content: bool | None = Field(
        None, description="Not live, but played from a recording."
    )
    age_restricted: bool | None = Field(None, description="For adults: a gate asks before it.")
    not_general: bool | None = Field(
        None, description="Not for everybody: a gate tells the reason, which is then required."
    )
    not_general_reason: str | None = Field(None, max_length=limits.NOT_GENERAL_REASON_CHARS_MAX)

    def changes(self) -> Changes:
        """The fields as the domain takes them."""
        return {
            "title": self.title,
            "description": self.description,
            "category": self.category,
            "tags": self.tags,
            "brand_promotion": self.brand_promotion,
            "recorded_content": self.recorded_content,
            "age_restricted": self.age_restricted,
            "not_general": self.not_general,
            "not_general_reason": self.not_general_reason,
        }


class InformationOut(Answer):
    """What a stream is about."""

    title: str
    description: str
    category: str | None = Field(description="Its name.")
    category_slug: str | None
    tags: list[str]
    brand_promotion: bool
    recorded_content: bool
    age_restricted: bool
    not_general: bool
    not_general_reason: str


def information_fields(about: Information) -> dict[str, Any]:
    """The values of `InformationOut`."""
    return {
        "title": about.title,
        "description": about.description,
        "category": about.category,
        "category_slug": about.category_slug,
        "tags": list(about.tags),
        "not_general_reason": about.not_general_reason,
        **{name: getattr(about, name) for name in FLAGS},
    }
