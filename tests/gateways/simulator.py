"""What all simulated providers have: a server on a free port, switches, and payments in it."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self

import aiohttp
from aiohttp import web

from mediaserver.money.gateways.gateway import Notification

Mode = Literal["up", "down", "slow", "html", "huge", "redirect", "odd"]

State = Literal[
    "open", "paid", "review", "failed", "cancelled", "expired", "charged_back", "dispute_won"
]


@dataclass
class Sale:
    """A payment at the provider. `amount` is in hundredths, at Stripe in whatever it counts."""

    payment_id: str
    ref: str
    amount: int
    currency: str
    notify_url: str
    return_url: str
    charge_ref: str = ""
    state: State = "open"
    was_attempted: bool = False
    refunds: dict[str, int] = field(default_factory=dict)

    @property
    def refunded(self) -> int:
        return sum(self.refunds.values())


class Simulator(ABC):
    """A provider: an async context manager around its server.

    `mode` decides how the next requests are answered, `asked` lists method and path of those so
    far. `odd`: what it says in that mode. `times`: answers given by `mode` before it is up again;
    None: until somebody sets it.
    """

    def __init__(self) -> None:
        self.mode: Mode = "up"
        self.times: int | None = None
        self.odd: object = {}
        self.asked: list[str] = []
        self.sales: dict[str, Sale] = {}
        self.url = ""

        self._stopped = asyncio.Event()
        self._runner: web.AppRunner | None = None

    @abstractmethod
    def routes(self) -> list[web.RouteDef]: ...

    @abstractmethod
    def notification(self, payment_id: str) -> Notification:
        """What the provider would post now about a payment, signed."""

    @abstractmethod
    def forged(self, payment_id: str) -> Notification:
        """The same by somebody who doesn't know the secret."""

    @abstractmethod
    def changed(self, payment_id: str) -> Notification:
        """A real one in which somebody wrote afterwards that the payment was paid."""

    def pay(self, payment_id: str, state: State = "paid") -> None:
        """The buyer went through the pay page, and that came of it."""
        sale = self.sales[payment_id]
        sale.was_attempted = True
        sale.charge_ref = sale.charge_ref or f"charge_{payment_id[4:]}"
        sale.state = state

    def give_back(self, payment_id: str, amount: int) -> None:
        """Somebody refunds so much in the provider's own dashboard."""
        refunds = self.sales[payment_id].refunds
        refunds[f"dashboard_{len(refunds)}"] = amount

    async def deliver(self, payment_id: str, times: int = 1, url: str = "") -> list[int]:
        """Post its notification to `url`, or where the site wanted it; several times, if so told,
        as providers do. The statuses that the site answered.
        """
        told, url = self.notification(payment_id), url or self.sales[payment_id].notify_url
        statuses = []
        async with aiohttp.ClientSession() as session:
            for _ in range(times):
                async with session.post(url, data=told.body, headers=dict(told.headers)) as answer:
                    statuses.append(answer.status)
        return statuses

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._switches()])
        app.add_routes(self.routes())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopped.set()
        assert self._runner is not None
        await self._runner.cleanup()

    def _switches(self) -> Callable[..., Awaitable[web.StreamResponse]]:
        @web.middleware
        async def answered(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            self.asked.append(f"{request.method} {request.path}")
            if request.path == "/elsewhere":  # where nobody should follow
                return web.json_response({})
            mode = self.mode
            if mode != "up" and self.times is not None:
                self.times -= 1
                if self.times <= 0:
                    self.mode, self.times = "up", None
            if mode == "down":
                return web.json_response({"error": {"message": "out of order"}}, status=503)
            if mode == "slow":
                await self._stopped.wait()
            if mode == "html":
                return web.Response(text="<h1>Maintenance</h1>", content_type="text/html")
            if mode == "odd":
                return web.json_response(self.odd)
            if mode == "huge":
                return web.Response(body=b" " * 3_000_000)
            if mode == "redirect":
                raise web.HTTPFound(f"{self.url}/elsewhere")
            return await handler(request)

        return answered
