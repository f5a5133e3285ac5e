"""The command line's way into a running site: HTTP on a Unix socket in the storage folder.

SQLite allows one process, so `mediaserver user create` asks the running one; with any database
`mediaserver doctor` does, as its ports are taken by the site itself. Whoever may open the socket
(mode 0700 folder: the operator) may do everything here; it is never on the network.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from mediaserver.accounts.users import Users
from mediaserver.channels.channels import Channels
from mediaserver.kernel import audit, limits
from mediaserver.kernel.errors import Invalid, MediaserverError, NotFound, Unavailable
from mediaserver.routes.errors import json_answer, problem_of

_SOCKET = "control.sock"

Command = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
"""What it takes and gives is what cli.py sends and prints."""

is_supported = sys.platform != "win32"


async def run(
    users: Users, channels: Channels, command: str, wanted: dict[str, Any]
) -> dict[str, Any]:
    """Do `command`; what it takes and gives is what cli.py sends and prints."""
    if command == "user":
        user = await users.create(
            wanted["username"],
            wanted["email"],
            wanted["password"],
            is_admin=wanted["is_admin"],
            actor=audit.COMMAND_LINE,
        )
        return {"username": user.username}
    assert command == "channel", command
    owner = await users.by_username(wanted["owner"])
    if owner is None:
        raise NotFound(f"There is no user {wanted['owner']}.")
    channel = await channels.create(owner, wanted["slug"], wanted["name"])
    return {"slug": channel.slug}


def make_control_app(
    users: Users, channels: Channels, more: Mapping[str, Command]
) -> web.Application:
    """`more`: commands beside those of `run`, by name."""

    async def handle(request: web.Request) -> web.Response:
        try:
            wanted = await request.json()
            command = request.match_info["command"]
            if command in more:
                answer = await more[command](wanted)
            else:
                answer = await run(users, channels, command, wanted)
        except MediaserverError as error:
            return json_answer(problem_of(error))
        return web.json_response(answer)

    app = web.Application(client_max_size=limits.CONTROL_BYTES_MAX)
    app.add_routes([web.post(f"/{{command:{'|'.join(('user', 'channel', *more))}}}", handle)])
    return app


@contextmanager
def socket_path(storage: Path, *, make: bool) -> Iterator[str]:
    """Where the socket is, in a form short enough for the system's limit of about 100 bytes."""
    folder = storage.absolute() / "control"
    if make:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
    if sys.platform != "linux":
        yield str(folder / _SOCKET)
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{_SOCKET}"
    finally:
        os.close(descriptor)


def is_answered(storage: Path) -> bool:
    """Whether a site listens on the socket in this storage folder."""
    if not is_supported:
        return False
    try:
        with (
            socket_path(storage, make=False) as path,
            socket.socket(socket.AF_UNIX) as probe,
        ):
            probe.settimeout(limits.DOCTOR_NETWORK_TIMEOUT_S)
            probe.connect(path)
    except OSError:
        return False
    return True


async def ask(
    storage: Path,
    command: str,
    wanted: dict[str, Any],
    *,
    timeout_s: float = limits.CONTROL_TIMEOUT_S,
) -> dict[str, Any]:
    """Have the running site do `command`. Raises what it raised, or `Unavailable`."""
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    try:
        with socket_path(storage, make=False) as path:
            async with (
                aiohttp.ClientSession(
                    connector=aiohttp.UnixConnector(path=path), timeout=timeout
                ) as client,
                client.post(f"http://control/{command}", json=wanted) as response,
            ):
                answer: dict[str, Any] = await response.json()
    except (OSError, aiohttp.ClientError, TimeoutError) as error:
        raise Unavailable(
            "Another process uses this database and doesn't answer. Stop it first."
        ) from error
    if "error" in answer:
        raise Invalid(answer["error"]["message"], field=answer["error"].get("field"))
    return answer
