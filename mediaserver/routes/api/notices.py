"""One's own notices over the API, and which of them are mailed too."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import Field

from mediaserver.kernel import limits
from mediaserver.notifications.notices import TOPICS, Notice, Topic, topics_for
from mediaserver.routes.api.operation import Answer, Body, Operations, Query, caller
from mediaserver.routes.keys import NOTICES

api = Operations("Notices")

_ID = "ntc_0123456789abcdefghjk"


class NoticesAfter(Query):
    after: str | None = Field(
        None, description="The last id of the page before.", max_length=100, examples=[_ID]
    )


class ReadNotices(Body):
    ids: list[str] | None = Field(
        None,
        description="Which ones; all of them when it is left out.",
        max_length=limits.NOTICES_LISTED_MAX,
        examples=[[_ID]],
    )


class NotificationChoice(Body):
    mailed: dict[Annotated[Topic, Field(strict=False)], bool] = Field(
        description="Topics that should, or should no longer, be mailed; others stay.",
        max_length=len(Topic),
        examples=[{"teams": False}],
    )


class NoticeOut(Answer):
    """Something you were told."""

    id: str = Field(examples=[_ID])
    topic: str = Field(examples=["teams"])
    title: str = Field(examples=["The Lab invites you"])
    body: str = Field(examples=["Carol would like you to join the team The Lab."])
    path: str = Field(description="The page it leads to.", examples=["/teams/lab"])
    created_at_ms: int = Field(examples=[1_900_000_000_000])
    is_read: bool = Field(examples=[False])


class NoticeList(Answer):
    """Notices, newest first."""

    notices: list[NoticeOut]
    unread: int = Field(description="Of all, not only of this page; at most 100.", examples=[1])


class TopicOut(Answer):
    """Whether notices of one topic are mailed too."""

    topic: str = Field(examples=["teams"])
    label: str = Field(examples=["Teams"])
    explanation: str = Field(examples=["Somebody invites you, or a team of yours changes."])
    by_mail: bool = Field(examples=[True])
    is_fixed: bool = Field(
        description="It protects the account, so it is always mailed.", examples=[False]
    )


class NotificationSettings(Answer):
    """Every topic that you may hear of."""

    topics: list[TopicOut]


def _notice(found: Notice) -> NoticeOut:
    return NoticeOut(
        id=found.id,
        topic=found.topic,
        title=found.title,
        body=found.body,
        path=found.path,
        created_at_ms=found.created_at_ms,
        is_read=found.is_read,
    )


async def _settings(request: web.Request) -> NotificationSettings:
    user = caller(request)
    mailed = await request.app[NOTICES].mailed(user)
    return NotificationSettings(
        topics=[
            TopicOut(
                topic=topic,
                label=TOPICS[topic][0],
                explanation=TOPICS[topic][1],
                by_mail=mailed[topic],
                is_fixed=topic.is_always_mailed,
            )
            for topic in topics_for(user)
        ]
    )


@api.get("/me/notices", "My notices", query=NoticesAfter, answer=NoticeList, sign_in=True)
async def list_notices(request: web.Request, query: NoticesAfter) -> NoticeList:
    """What you were told in the last half year, fifty at a time. Reading them here marks none."""
    user, notices = caller(request), request.app[NOTICES]
    page = await notices.page(user, after=query.after)
    unread = await notices.count_unread(user)
    return NoticeList(notices=[_notice(one) for one in page], unread=unread)


@api.post(
    "/me/notices/read",
    "Mark notices as read",
    body=ReadNotices,
    is_body_optional=True,
    sign_in=True,
)
async def read_notices(request: web.Request, body: ReadNotices) -> None:
    """Those with the ids given, else all. Ids that aren't yours are left alone."""
    user, notices = caller(request), request.app[NOTICES]
    if body.ids is None:
        await notices.read_all(user)
    else:
        await notices.read_some(user, body.ids)


@api.get(
    "/me/notification-settings",
    "Which notices are mailed",
    answer=NotificationSettings,
    sign_in=True,
)
async def notification_settings(request: web.Request) -> NotificationSettings:
    """Notices are always here, on the site; this is about mail besides."""
    return await _settings(request)


@api.put(
    "/me/notification-settings",
    "Choose which notices are mailed",
    body=NotificationChoice,
    answer=NotificationSettings,
    sign_in=True,
)
async def choose_notifications(
    request: web.Request, body: NotificationChoice
) -> NotificationSettings:
    """Topics that are fixed stay mailed, whatever is sent."""
    await request.app[NOTICES].choose(caller(request), body.mailed)
    return await _settings(request)
