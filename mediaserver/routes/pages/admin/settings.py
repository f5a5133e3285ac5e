"""Settings: all of them with what they mean; those that may change while the site runs as forms."""

from __future__ import annotations

from itertools import groupby

from aiohttp import web

from mediaserver.accounts.permissions import Action
from mediaserver.admin.roles import permissions
from mediaserver.kernel.settings import Setting
from mediaserver.routes.forms import FORM_ERRORS, FormError, form_errors, read_form
from mediaserver.routes.keys import CONFIG, SETTINGS
from mediaserver.routes.page import noticed
from mediaserver.routes.pages.admin.frame import admin, admin_page, confirmed_admin

_PAGE = "/admin/settings"
_LABELS = {
    "site": "The site",
    "http": "Web",
    "rtmp": "Encoders",
    "media": "Streams",
    "storage": "Storage",
    "database": "Database",
    "accounts": "Accounts",
    "mail": "Mail",
    "webhooks": "Webhooks",
    "sslcommerz": "SSLCommerz",
    "chat": "Chat",
    "log": "Log",
    "metrics": "Metrics",
}
_SHORT = {"url": "address", "tls": "TLS", "kbps": "kb/s", "dvr": "rewind", "smtp": "SMTP"}
_SHORT |= {"totp": "two-step log-in", "s": "(seconds)", "max": "at most"}
_SHORT |= {"min": "at least", "topup": "top-up", "bps": "(hundredths of a percent)"}
"""Words of keys as people read them."""


async def show_settings(request: web.Request) -> web.Response:
    return await _settings(request)


async def change_setting(request: web.Request) -> web.Response:
    key = request.match_info["key"]
    actor = await confirmed_admin(request, Action.CHANGE_SETTINGS, _PAGE)
    form = await read_form(request)
    try:
        await request.app[SETTINGS].change(actor, key, form.get("value", ""))
    except FORM_ERRORS as error:
        return await _settings(request, key, form.get("value", ""), error)
    return noticed(request, f"{_PAGE}#{key}", "setting-changed")


async def reset_setting(request: web.Request) -> web.Response:
    key = request.match_info["key"]
    actor = await confirmed_admin(request, Action.CHANGE_SETTINGS, _PAGE)
    try:
        await request.app[SETTINGS].reset(actor, key)
    except FORM_ERRORS as error:
        return await _settings(request, key, error=error)
    return noticed(request, f"{_PAGE}#{key}", "setting-changed")


async def _settings(
    request: web.Request, failed: str = "", given: str = "", error: FormError | None = None
) -> web.Response:
    await admin(request, Action.CHANGE_SETTINGS)
    accounts = request.app[CONFIG].accounts
    settings = request.app[SETTINGS].list()
    context = {
        "groups": [
            (name, _LABELS.get(name, name.capitalize()), list(found))
            for name, found in groupby(settings, _section)
        ],
        "labels": {setting.key: _label(setting) for setting in settings},
        "failed": failed,
        "given": given,
        "wrong": next(iter(form_errors(error).values())) if error is not None else "",
        "permissions": permissions(),
        "channels_max": (accounts.channels_per_user_max, accounts.channels_per_premium_user_max),
    }
    return await admin_page(request, "settings", context, error=error)


def _section(setting: Setting) -> str:
    return setting.key.partition(".")[0]


def _label(setting: Setting) -> str:
    words = setting.key.partition(".")[2].split("_")
    label = " ".join(_SHORT.get(word, word) for word in words)
    return label[:1].upper() + label[1:]


routes = [
    web.get(_PAGE, show_settings),
    web.post(_PAGE + "/{key}", change_setting),
    web.post(_PAGE + "/{key}/reset", reset_setting),
]
