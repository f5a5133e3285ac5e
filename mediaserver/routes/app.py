"""The web application: what it is given, which middlewares, which routes. Made by server.py."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from aiohttp import web

from mediaserver.kernel import limits
from mediaserver.kernel.addresses import AddressList
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import Config
from mediaserver.kernel.errors import Invalid, NotFound
from mediaserver.routes import hooks, keys, middlewares, pictures
from mediaserver.routes.api import admin as api_admin
from mediaserver.routes.api import alerts as api_alerts
from mediaserver.routes.api import appeals as api_appeals
from mediaserver.routes.api import auth as api_auth
from mediaserver.routes.api import back_soon as api_back_soon
from mediaserver.routes.api import backups as api_backups
from mediaserver.routes.api import cases as api_cases
from mediaserver.routes.api import categories as api_categories
from mediaserver.routes.api import channels as api_channels
from mediaserver.routes.api import chat as api_chat
from mediaserver.routes.api import checkup as api_checkup
from mediaserver.routes.api import donations as api_donations
from mediaserver.routes.api import emotes as api_emotes
from mediaserver.routes.api import follows as api_follows
from mediaserver.routes.api import giving as api_giving
from mediaserver.routes.api import health as api_health
from mediaserver.routes.api import live as api_live
from mediaserver.routes.api import me as api_me
from mediaserver.routes.api import memberships as api_memberships
from mediaserver.routes.api import moderation as api_moderation
from mediaserver.routes.api import my_security as api_my_security
from mediaserver.routes.api import notices as api_notices
from mediaserver.routes.api import payments as api_payments
from mediaserver.routes.api import payouts as api_payouts
from mediaserver.routes.api import policies as api_policies
from mediaserver.routes.api import realtime as api_realtime
from mediaserver.routes.api import reports as api_reports
from mediaserver.routes.api import sanctions as api_sanctions
from mediaserver.routes.api import schedule as api_schedule
from mediaserver.routes.api import site_webhooks as api_site_webhooks
from mediaserver.routes.api import streams as api_streams
from mediaserver.routes.api import teams as api_teams
from mediaserver.routes.api import thanks as api_thanks
from mediaserver.routes.api import tips as api_tips
from mediaserver.routes.api import verifications as api_verifications
from mediaserver.routes.api import wallet as api_wallet
from mediaserver.routes.api import webhooks as api_webhooks
from mediaserver.routes.api.admin import payouts as api_admin_payouts
from mediaserver.routes.api.admin import refunds as api_admin_refunds
from mediaserver.routes.api.openapi import document
from mediaserver.routes.api.operation import PREFIX, Operation
from mediaserver.routes.health import Health, health_routes
from mediaserver.routes.held_forms import HeldForms
from mediaserver.routes.page import page
from mediaserver.routes.pages import (
    admin,
    appeal,
    category,
    channel,
    channel_tabs,
    documents,
    donate,
    events,
    home,
    login,
    membership,
    notices,
    overlays,
    password,
    payments,
    registration,
    report,
    rules,
    sandbox,
    studio,
    teams,
    theme,
    tip,
    wallet,
)
from mediaserver.routes.pages import chat as chat_pages
from mediaserver.routes.pages import settings as settings_pages
from mediaserver.routes.pages import setup as setup_page
from mediaserver.routes.render import CSP_PLAYER, Renderer, web_folder
from mediaserver.routes.shown_once import ShownOnce
from mediaserver.routes.static import StaticFiles

OPERATIONS: tuple[Operation, ...] = (
    *api_auth.api.all,
    *api_me.api.all,
    *api_my_security.api.all,
    *api_notices.api.all,
    *api_policies.api.all,
    *api_policies.admin_api.all,
    *api_verifications.api.all,
    *api_verifications.admin_api.all,
    *api_teams.api.all,
    *api_channels.api.all,
    *api_back_soon.api.all,
    *api_streams.api.all,
    *api_follows.api.all,
    *api_categories.api.all,
    *api_schedule.api.all,
    *api_live.api.all,
    *api_health.api.all,
    *api_realtime.api.all,
    *api_chat.api.all,
    *api_moderation.api.all,
    *api_emotes.api.all,
    *api_admin.OPERATIONS,
    *api_backups.api.all,
    *api_checkup.api.all,
    *api_webhooks.api.all,
    *api_site_webhooks.api.all,
    *api_reports.api.all,
    *api_cases.api.all,
    *api_sanctions.api.all,
    *api_appeals.api.all,
    *api_payouts.api.all,
    *api_admin_payouts.api.all,
    *api_admin_refunds.api.all,
    *api_wallet.api.all,
    *api_tips.api.all,
    *api_giving.api.all,
    *api_thanks.api.all,
    *api_memberships.api.all,
    *api_alerts.api.all,
    *api_payments.api.all,
    *api_donations.api.all,
)
"""The whole API, in the order in which it is documented."""

UPLOADS: Mapping[str, int] = (
    {
        PREFIX + operation.path: operation.upload_bytes_max
        for operation in OPERATIONS
        if operation.upload_bytes_max is not None
    }
    | studio.UPLOADS
    | settings_pages.UPLOADS
    | admin.UPLOADS
)
"""Routes that take more than a small body, and how many bytes."""


def make_app(config: Config, clock: Clock) -> web.Application:
    """The application without the features, which server/features.py puts in under their keys, and
    without the routes of media, realtime and health. Raises `Invalid` for wrong address lists.
    """
    app = web.Application(
        middlewares=[
            middlewares.proxies(_addresses(config.http.trusted_proxies, "http.trusted_proxies")),
            middlewares.headers,
            middlewares.errors,
            middlewares.host,
            middlewares.body_size(UPLOADS),
            middlewares.csrf,
            middlewares.session,
            middlewares.banned,
            middlewares.held_forms,
            middlewares.unread,
            middlewares.balance,
        ],
        client_max_size=limits.REQUEST_BODY_BYTES_MAX,
    )
    folder = web_folder()
    static = StaticFiles(folder / "static")
    app[keys.CONFIG] = config
    app[keys.CLOCK] = clock
    app[keys.STATIC] = static
    app[keys.RENDERER] = Renderer(folder / "templates", config.site, static, clock)
    app[keys.HELD_FORMS] = HeldForms(clock)
    app[keys.SHOWN_ONCE] = ShownOnce(clock)
    app[keys.OPENAPI] = json.dumps(document(OPERATIONS, config.site.name)).encode()

    app.add_routes(home.routes)
    app.add_routes(category.routes)
    app.add_routes(channel.routes)
    app.add_routes(channel_tabs.routes)
    app.add_routes(tip.routes)
    app.add_routes(wallet.routes)
    app.add_routes(chat_pages.routes)
    app.add_routes(overlays.routes)
    app.add_routes(rules.routes)
    app.add_routes(teams.routes)
    app.add_routes(documents.routes)
    app.add_routes(login.routes)
    app.add_routes(registration.routes)
    app.add_routes(password.routes)
    app.add_routes(settings_pages.routes)
    app.add_routes(notices.routes)
    app.add_routes(donate.routes)
    app.add_routes(payments.routes)
    app.add_routes(sandbox.routes)
    app.add_routes(hooks.routes)
    app.add_routes(report.routes)
    app.add_routes(appeal.routes)
    app.add_routes(membership.routes)
    app.add_routes(admin.routes)
    app.add_routes(theme.routes)
    app.add_routes(setup_page.routes)
    app.add_routes(studio.routes)
    app.add_routes(operation.route() for operation in OPERATIONS)
    app.add_routes(events.routes)
    app.add_routes([web.get("/api/openapi.json", _openapi), web.get("/api/docs", _api_docs)])
    app.add_routes(pictures.routes)
    app.add_routes([web.get("/static/{name:.+}", _static), web.get("/theme.css", _theme_css)])
    app.add_routes([web.get("/favicon.ico", _favicon)])
    return app


def add_health(
    app: web.Application, config: Config, health: Health, render_metrics: Callable[[], bytes]
) -> None:
    """What operators and their tools ask. Raises `Invalid` for a wrong address list."""
    may_read_metrics = _addresses(config.metrics.allow, "metrics.allow")
    app.add_routes(health_routes(health, render_metrics, may_read_metrics))


def _addresses(networks: tuple[str, ...], field: str) -> AddressList:
    try:
        return AddressList(networks)
    except ValueError as error:
        raise Invalid(f"{field}: {error}", field=field) from error


async def _static(request: web.Request) -> web.Response:
    return await request.app[keys.STATIC].answer(request, request.match_info["name"])


async def _openapi(request: web.Request) -> web.Response:
    return web.Response(
        body=request.app[keys.OPENAPI],
        content_type="application/json",
        headers={"Cache-Control": "no-cache"},
    )


async def _api_docs(request: web.Request) -> web.Response:
    if not request.app[keys.RENDERER].has("api_docs.html"):
        raise NotFound("The API browser is not part of this installation.")
    return page(request, "api_docs.html", {}, csp=CSP_PLAYER)


async def _theme_css(request: web.Request) -> web.Response:
    """The operator's accent; tokens.css makes readable colours of it for dark and light."""
    accent = request.app[keys.CONFIG].site.accent
    return web.Response(
        text=f":root {{ --site-accent: {accent}; }}\n" if accent else "",
        content_type="text/css",
        headers={"Cache-Control": f"public, max-age={limits.STATIC_MAX_AGE_S}"},
    )


async def _favicon(request: web.Request) -> web.Response:
    """For what asks without reading a page, such as a tab that shows JSON."""
    return await request.app[keys.STATIC].answer(request, "icon.svg")
