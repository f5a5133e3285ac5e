"""Whether an admin acts as one: not by every log-in, and not for ever.

Asked wherever a request tells who somebody is, by pages, API and Socket.IO.
"""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web

from mediaserver.accounts.users import User
from mediaserver.kernel import limits
from mediaserver.routes.keys import ACCOUNTS, CLOCK, CONFIG


async def on_duty(
    request: web.Request, user: User, confirmed_at_ms: int | None, *, has_scope: bool = True
) -> User:
    """`user`, off duty if they are an admin and their log-in lacks the scope, the second factor
    that settings ask for, or a password or code of today. A personal token, which has no
    `confirmed_at_ms`, was made for this and ends by itself.
    """
    if not user.is_admin:
        return user
    now_ms = request.app[CLOCK].wall_ms()
    is_asleep = confirmed_at_ms is not None and now_ms - confirmed_at_ms >= limits.DESK_CONFIRMED_MS
    is_off = not has_scope or is_asleep or await lacks_second_factor(request, user)
    return replace(user, is_off_duty=is_off)


async def lacks_second_factor(request: web.Request, user: User) -> bool:
    """Whether settings ask admins for one that `user` hasn't turned on."""
    if request.app[CONFIG].accounts.admin_totp != "required":
        return False
    return not (await request.app[ACCOUNTS].second_factor.standing(user)).is_on
