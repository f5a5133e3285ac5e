"""Looks at everything and says how it is. Asked by the command line, the admin desk and the API."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from mediaserver.admin.database_copy import sqlite_file
from mediaserver.admin.doctor import data, machine, money, network
from mediaserver.admin.doctor.finding import Finding
from mediaserver.admin.long_work import Stop
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import Config


class Doctor:
    """`check_mail` asks the mail server of the settings; see `kernel/mail.Smtp.check`."""

    def __init__(
        self, config: Config, clock: Clock, check_mail: Callable[[], Awaitable[None]]
    ) -> None:
        self._config = config
        self._clock = clock
        self._check_mail = check_mail

        self.listening: network.Listening | None = None
        """Set once the site listens; None where no site runs."""
        self._began_wall_ms = clock.wall_ms()
        self._began_monotonic_ms = clock.monotonic_ms()
        self._turn = asyncio.Lock()

    async def examine(self) -> list[Finding]:
        """Every check but those that a browser or a click begins. One at a time."""
        async with self._turn:
            config, now_ms = self._config, self._clock.wall_ms()
            found = await asyncio.to_thread(self._machine, now_ms)
            path = sqlite_file(config.database_url)
            if path is not None:
                stop = self._deadline()
                found += await asyncio.to_thread(data.sqlite_database, path, now_ms, stop)
            else:
                found += await data.postgresql_database(config.database_url, now_ms)
            found.append(await asyncio.to_thread(data.backups, config, now_ms))
            found += network.ports(config, self.listening)
            found.append(network.address(config))
            if self.listening is not None:
                found.append(await network.own_answer(config, self.listening.http_port))
            found.append(network.mail(config))
            found.append(money.ways_to_pay(config))
            return found

    async def mail_server(self) -> Finding:
        """Connects to the mail server and logs in; nothing is sent."""
        return await network.mail_server(self._config, self._check_mail)

    def _machine(self, now_ms: int) -> list[Finding]:
        wall_ms = now_ms - self._began_wall_ms
        jumped_ms = wall_ms - (self._clock.monotonic_ms() - self._began_monotonic_ms)
        return [
            *machine.programs(),
            *machine.storage(self._config),
            machine.master_key(self._config),
            machine.open_files(),
            machine.clock(now_ms, jumped_ms),
            *machine.certificate(self._config, now_ms),
        ]

    def _deadline(self) -> Stop:
        ends_ms = self._clock.monotonic_ms() + int(limits.DOCTOR_DATABASE_TIMEOUT_S * 1000)

        def stop() -> None:
            if self._clock.monotonic_ms() > ends_ms:
                raise data.TooSlow("It is too large to be read while you wait.")

        return stop
