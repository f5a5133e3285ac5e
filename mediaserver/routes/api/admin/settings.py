"""Settings over the API."""

from __future__ import annotations

from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from mediaserver.accounts.permissions import Action, check
from mediaserver.accounts.personal_tokens import Scope
from mediaserver.kernel import limits
from mediaserver.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from mediaserver.kernel.settings import Setting
from mediaserver.routes.api.operation import Answer, Body, Operations, acting, caller
from mediaserver.routes.keys import SETTINGS

api = Operations("Admin: settings", Scope.ADMIN)


class SettingBody(Body):
    value: Annotated[str, Field(max_length=limits.SETTING_CHARS_MAX)] | int = Field(
        description="As config.toml would have it.",
        examples=["Our streams"],
    )


class SettingOut(Answer):
    """A setting. Of a secret only whether there is one is told."""

    key: str = Field(examples=["site.name"])
    value: str | int | bool | list[str] = Field(examples=["Our streams"])
    default: str | int | bool | list[str] = Field(examples=["Mediaserver"])
    description: str
    source: str = Field(description="default, file, environment or admin: who set it.")
    is_changeable: bool = Field(description="Here, while the site runs.")
    effect: str = Field(description="now, next_stream or restart: when a change counts.")
    choices: list[str] = Field(description="The values it may have; empty: any that fits.")


class SettingList(Answer):
    """In the order of config.toml."""

    settings: list[SettingOut]


@api.get("/admin/settings", "List settings", answer=SettingList, sign_in=True, errors=(Forbidden,))
async def list_settings(request: web.Request) -> SettingList:
    """Every setting with its value, what it does, and where it comes from."""
    check(caller(request), Action.CHANGE_SETTINGS)
    return SettingList(settings=[_out(one) for one in request.app[SETTINGS].list()])


@api.put(
    "/admin/settings/{key}",
    "Change a setting",
    body=SettingBody,
    answer=SettingOut,
    sign_in=True,
    confirm=True,
    errors=(Conflict, Forbidden, Invalid, NotFound),
)
async def change_setting(request: web.Request, body: SettingBody) -> SettingOut:
    """Counts without a restart and is kept. 409 `needs_restart` or `set_by_environment` for those
    that can't change here.
    """
    actor = acting(request, Action.CHANGE_SETTINGS)
    changed = await request.app[SETTINGS].change(actor, request.match_info["key"], body.value)
    return _out(changed)


@api.delete(
    "/admin/settings/{key}",
    "Reset a setting",
    answer=SettingOut,
    sign_in=True,
    confirm=True,
    errors=(Conflict, Forbidden, NotFound),
)
async def reset_setting(request: web.Request) -> SettingOut:
    """What config.toml says counts again."""
    actor = acting(request, Action.CHANGE_SETTINGS)
    return _out(await request.app[SETTINGS].reset(actor, request.match_info["key"]))


def _out(setting: Setting) -> SettingOut:
    return SettingOut(
        key=setting.key,
        value=_plain(setting.value),
        default=_plain(setting.default),
        description=setting.description,
        source=setting.source,
        is_changeable=setting.is_changeable,
        effect=setting.effect,
        choices=list(setting.choices),
    )


def _plain(value: Any) -> str | int | bool | list[str]:
    """As JSON has it: a path is a text, several values are a list."""
    if isinstance(value, tuple):
        return [str(one) for one in value]
    return value if isinstance(value, str | int | bool) else str(value)
