"""Following a channel over the API."""

from __future__ import annotations

from aiohttp import web

from mediaserver.kernel.errors import Conflict, NotFound, RateLimited
from mediaserver.routes.api.operation import Answer, Operations, caller
from mediaserver.routes.keys import CHANNELS, FOLLOWS

api = Operations("Follows")


class FollowOut(Answer):
    """Whether you follow the channel, and how many do."""

    follows: bool
    followers: int


@api.get(
    "/channels/{slug}/follow",
    "Show your follow",
    answer=FollowOut,
    sign_in=True,
    errors=(NotFound,),
)
async def show_follow(request: web.Request) -> FollowOut:
    """Whether you follow the channel."""
    return await _answer(request)


@api.put(
    "/channels/{slug}/follow",
    "Follow a channel",
    answer=FollowOut,
    sign_in=True,
    errors=(NotFound, Conflict, RateLimited),
)
async def follow_channel(request: web.Request) -> FollowOut:
    """You are told when the channel goes live. Doing it twice changes nothing."""
    await request.app[FOLLOWS].follow(caller(request), request.match_info["slug"])
    return await _answer(request)


@api.delete(
    "/channels/{slug}/follow",
    "Unfollow a channel",
    answer=FollowOut,
    sign_in=True,
    errors=(NotFound, RateLimited),
)
async def unfollow_channel(request: web.Request) -> FollowOut:
    """Ends the follow. Doing it twice changes nothing."""
    await request.app[FOLLOWS].unfollow(caller(request), request.match_info["slug"])
    return await _answer(request)


async def _answer(request: web.Request) -> FollowOut:
    follows = request.app[FOLLOWS]
    channel = await request.app[CHANNELS].get(request.match_info["slug"])
    return FollowOut(
        follows=await follows.is_following(caller(request), channel.id),
        followers=await follows.count(channel.id),
    )
