"""Checks of the way by which a request came: proxy, HTTPS, name. For the check-up page and API."""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import web

from mediaserver.admin.doctor.finding import Finding, bad, ok, warn
from mediaserver.kernel.addresses import AddressList
from mediaserver.routes.keys import CONFIG

_FORWARDED = ("X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP", "Forwarded", "Via")


def about_request(request: web.Request) -> list[Finding]:
    """What this very request shows of the way between its browser and the site."""
    return [_proxy(request), _https(request), *_name(request)]


def _proxy(request: web.Request) -> Finding:
    title, peer = "Proxy", _peer(request)
    is_trusted = peer in AddressList(request.app[CONFIG].http.trusted_proxies)
    if not is_trusted and _is_forwarded(request):
        return bad(
            "proxy",
            title,
            f"A proxy at {peer} isn't believed, so everybody counts as one address: a few wrong "
            "passwords lock out all.",
            f'Set trusted_proxies = ["{peer}"] under [http] in config.toml, then start again.',
        )
    if is_trusted and "X-Forwarded-For" not in request.headers:
        advice = "Have it send X-Forwarded-For: see docs/reverse-proxy.md."
        return warn("proxy", title, f"The one at {peer} doesn't say who asks.", advice)
    if is_trusted:
        return ok("proxy", title, f"The one at {peer} is believed: you come from {request.remote}.")
    return ok("proxy", title, f"None is between you ({peer}) and the site.")


def _https(request: web.Request) -> Finding:
    title, public_url = "HTTPS", request.app[CONFIG].site.public_url
    if request.secure:
        return ok("https", title, "Your connection is protected, and cookies stay on it.")
    if public_url.startswith("https://") and _is_forwarded(request):
        meaning = "People come by https, but the site sees http: log-ins through the proxy fail."
        advice = "Have the proxy send X-Forwarded-Proto, and name it in http.trusted_proxies."
        return bad("https", title, meaning, advice)
    if public_url.startswith("https://"):
        meaning = "You came directly by http, round the proxy."
        return warn("https", title, meaning, f"Use {public_url}.")
    host = request.host.partition(":")[0]
    if host in ("localhost", "127.0.0.1", "[::1]"):
        return ok("https", title, "You are on the site's own machine, which needs none.")
    meaning = "Passwords travel as they are typed: fine at home, not on the Internet."
    return warn("https", title, meaning, "Put a proxy with a certificate in front, or set one.")


def _name(request: web.Request) -> list[Finding]:
    public_url = request.app[CONFIG].site.public_url
    wanted = urlsplit(public_url).netloc
    if not wanted or wanted.lower() == request.host.lower():
        return []
    meaning = f"You came by {request.host}; people are told {public_url}."
    advice = "Fine if both are yours. Else correct site.public_url in config.toml."
    return [warn("host", "Name", meaning, advice)]


def _is_forwarded(request: web.Request) -> bool:
    return any(name in request.headers for name in _FORWARDED)


def _peer(request: web.Request) -> str:
    """Who is at the other end of the connection itself, whatever headers say."""
    name = request.transport.get_extra_info("peername") if request.transport else None
    return str(name[0]) if isinstance(name, tuple) else "an unknown address"
