"""The site's policies, and becoming a streamer by accepting them, over the API."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.permissions import Action
from mediaserver.accounts.personal_tokens import Scope
from mediaserver.channels.policies import Kind, Policy
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid
from mediaserver.routes.api.operation import (
    Answer,
    Body,
    Operations,
    Query,
    acting,
    caller,
)
from mediaserver.routes.keys import CHANNELS, POLICIES, VERIFICATIONS

api = Operations("Streamers")
admin_api = Operations("Policies", Scope.ADMIN)


class PolicyOut(Answer):
    """One version of a policy. `kind` is what it is about: streamers or content."""

    id: str = Field(examples=["pol_0123456789abcdefghjk"])
    kind: str = Field(examples=["streamers"])
    version: int = Field(examples=[1])
    title: str = Field(examples=["Rules for streamers"])
    body: str = Field(description="Plain text; an empty line begins a paragraph.")
    published_at_ms: int


class PolicyList(Answer):
    """Policies."""

    policies: list[PolicyOut]


class AcceptedOut(Answer):
    """A policy in force. `accepted_at_ms` is null until you accept this version."""

    policy_id: str
    kind: str
    version: int
    title: str
    accepted_at_ms: int | None


class StreamerOut(Answer):
    """What you are as a streamer. `is_streamer`: you have a channel."""

    is_streamer: bool
    is_verified: bool
    verification: str | None = Field(
        description="Of your last request: submitted, approved or rejected; null: none yet."
    )
    may_make_channels: bool = Field(description="You have accepted what is in force.")
    policies: list[AcceptedOut]


class Accepting(Body):
    accepted: list[str] = Field(
        description="Ids of policies in force. What you accepted before stays accepted.",
        min_length=1,
        max_length=len(Kind),
        examples=[["pol_0123456789abcdefghjk"]],
    )


class PolicyQuery(Query):
    kind: Kind = Field(Kind.STREAMERS, description="streamers or content")


class NewPolicy(Body):
    kind: Annotated[Kind, Field(strict=False)] = Field(examples=["content"])
    title: str = Field(max_length=limits.POLICY_TITLE_CHARS_MAX, examples=["Content policy"])
    body: str = Field(
        max_length=limits.POLICY_BODY_CHARS_MAX, examples=["Be kind.\n\nNothing unlawful."]
    )


def _policy(policy: Policy) -> PolicyOut:
    return PolicyOut(
        id=policy.id,
        kind=policy.kind,
        version=policy.version,
        title=policy.title,
        body=policy.body,
        published_at_ms=policy.published_at_ms,
    )


async def _streamer(request: web.Request) -> StreamerOut:
    user = caller(request)
    standing = await request.app[POLICIES].standing(user)
    asked = await request.app[VERIFICATIONS].of(user)
    return StreamerOut(
        is_verified=user.is_verified,
        verification=asked[0].state if asked else None,
        is_streamer=bool(await request.app[CHANNELS].list_owned(user)),
        may_make_channels=user.is_admin or all(one.accepted_at_ms for one in standing),
        policies=[
            AcceptedOut(
                policy_id=one.policy.id,
                kind=one.policy.kind,
                version=one.policy.version,
                title=one.policy.title,
                accepted_at_ms=one.accepted_at_ms,
            )
            for one in standing
        ],
    )


@api.get("/policies", "List the policies", answer=PolicyList)
async def list_policies(request: web.Request) -> PolicyList:
    """The rules of this site, in the version in force."""
    return PolicyList(policies=[_policy(one) for one in await request.app[POLICIES].current()])


@api.get("/me/streamer", "Show what I am as a streamer", answer=StreamerOut, sign_in=True)
async def show_streamer(request: web.Request) -> StreamerOut:
    """Which policies you have accepted, and whether you have a channel and are verified."""
    return await _streamer(request)


@api.put(
    "/me/streamer",
    "Accept policies",
    body=Accepting,
    answer=StreamerOut,
    sign_in=True,
    errors=(Invalid,),
)
async def accept_policies(request: web.Request, body: Accepting) -> StreamerOut:
    """Accepts the named versions: needed before you make a channel or ask to be verified, and again
    when a new version is published. 422 when one of them isn't in force any more.
    """
    await request.app[POLICIES].accept(caller(request), body.accepted, request.remote or "")
    return await _streamer(request)


@admin_api.get(
    "/admin/policies",
    "List versions of a policy",
    query=PolicyQuery,
    answer=PolicyList,
    sign_in=True,
    errors=(Forbidden,),
)
async def list_policy_versions(request: web.Request, query: PolicyQuery) -> PolicyList:
    """The latest versions, newest first. Only admins may."""
    acting(request, Action.PUBLISH_POLICIES)
    versions = await request.app[POLICIES].versions(query.kind)
    return PolicyList(policies=[_policy(one) for one in versions])


@admin_api.post(
    "/admin/policies",
    "Publish a policy",
    body=NewPolicy,
    answer=PolicyOut,
    status=201,
    sign_in=True,
    confirm=True,
    errors=(Conflict, Forbidden),
)
async def publish_policy(request: web.Request, body: NewPolicy) -> PolicyOut:
    """Puts a new version in force, which streamers accept before their next channel. Only admins
    may.
    """
    actor = acting(request, Action.PUBLISH_POLICIES)
    made = await request.app[POLICIES].publish(actor, body.kind, body.title, body.body)
    return _policy(made)
