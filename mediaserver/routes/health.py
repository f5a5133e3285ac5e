"""For operators and their tools: /healthz, /readyz and /metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog
from aiohttp import web

from mediaserver.kernel import limits
from mediaserver.kernel.addresses import AddressList
from mediaserver.kernel.errors import Forbidden, MediaserverError

_log = structlog.get_logger(__name__)

Check = Callable[[], Awaitable[None]]
"""Returns when all is well; what it raises is the reason why not."""


class Health:
    """Whether the site runs (`is_listening`) and whether it can work (`checks`)."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks

        self.is_listening = False

    async def report(self) -> dict[str, str]:
        """Each check by name: "ok" or what is wrong."""
        return {name: await self._one(name, check) for name, check in self._checks.items()}

    async def _one(self, name: str, check: Check) -> str:
        try:
            async with asyncio.timeout(limits.HEALTH_CHECK_TIMEOUT_S):
                await check()
        except TimeoutError:
            return "no answer in time"
        except MediaserverError as error:
            return error.message
        except Exception:
            _log.exception("readiness check failed", check=name)
            return "failed"
        return "ok"


def health_routes(
    health: Health, render_metrics: Callable[[], bytes], may_read_metrics: AddressList
) -> list[web.RouteDef]:
    async def healthz(request: web.Request) -> web.Response:
        """200 once everything listens: the process is worth keeping."""
        if not health.is_listening:
            return web.json_response({"status": "starting"}, status=503)
        return web.json_response({"status": "ok"})

    async def readyz(request: web.Request) -> web.Response:
        """200 while every part can work: this process should get requests."""
        report = await health.report()
        is_ready = all(state == "ok" for state in report.values())
        return web.json_response(
            {"status": "ok" if is_ready else "not_ready", "checks": report},
            status=200 if is_ready else 503,
            headers={"Cache-Control": "no-store"},
        )

    async def prometheus(request: web.Request) -> web.Response:
        if request.remote not in may_read_metrics:
            raise Forbidden("Metrics are for the addresses in metrics.allow only.")
        return web.Response(
            body=render_metrics(),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )

    return [
        web.get("/healthz", healthz),
        web.get("/readyz", readyz),
        web.get("/metrics", prometheus),
    ]
