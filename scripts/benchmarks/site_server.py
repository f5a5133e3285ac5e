"""`python -m benchmarks.site_server JSON`: the whole site with one channel and its stream key.

Options: `preset`; `storage`, an empty folder; `channel`; `chat`, settings of that section;
`tickets`, how many people get one for Socket.IO; `limits`, bounds that are in the way; `password`
of the user "bench". Says {"rtmp", "http", "key", "tickets"}.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

import aiohttp
import uvloop

from mediaserver.kernel import limits
from mediaserver.kernel.config import (
    ChatConfig,
    Config,
    HttpConfig,
    MediaConfig,
    RtmpConfig,
    StorageConfig,
)
from mediaserver.kernel.ids import new_secret
from mediaserver.kernel.log import set_up_logging

_USER = "bench"


async def main() -> None:
    options = json.loads(sys.argv[1])
    for name, value in options.get("limits", {}).items():
        assert hasattr(limits, name), name
        setattr(limits, name, value)
    from mediaserver.server import Server, run_command  # it reads limits as it is imported

    set_up_logging("warning", "text")
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    config = Config(
        http=HttpConfig(host="127.0.0.1", port=0),
        rtmp=RtmpConfig(host="127.0.0.1", port=0),
        media=MediaConfig(
            preset=options["preset"],
            instant_viewers_max=options.get("instant_viewers_max", 300),
        ),
        storage=StorageConfig(path=Path(options["storage"])),
        chat=ChatConfig(**options.get("chat", {})),
    )
    channel, password = options["channel"], options.get("password", new_secret(128))
    user = {"username": _USER, "email": "bench@example.org", "password": password, "is_admin": True}
    await run_command(config, "user", user)
    await run_command(config, "channel", {"owner": _USER, "slug": channel, "name": channel})
    people = [f"person{index}" for index in range(options.get("tickets", 0))]
    for name in people:
        address = f"{name}@example.org"
        person = {"username": name, "email": address, "password": password, "is_admin": False}
        await run_command(config, "user", person)
    async with Server(config) as server:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{server.http_port}") as session:

            async def post(
                path: str, body: dict[str, str] | None, token: str = ""
            ) -> dict[str, str]:
                headers = {"Authorization": f"Bearer {token}"} if token else {}
                async with session.post(path, json=body, headers=headers) as answer:
                    answer.raise_for_status()
                    made: dict[str, str] = await answer.json()
                    return made

            login = {"username": _USER, "password": password}
            token = (await post("/api/v1/auth/login", login))["access_token"]
            keys = f"/api/v1/channels/{channel}/stream-keys"
            key = (await post(keys, {"name": "bench"}, token))["key"]
            tickets = []
            for name in people:
                login = {"username": name, "password": password}
                token = (await post("/api/v1/auth/login", login))["access_token"]
                tickets.append((await post("/api/v1/realtime/ticket", None, token))["ticket"])
        ready = {
            "rtmp": server.rtmp_port,
            "http": server.http_port,
            "key": key,
            "tickets": tickets,
        }
        print(json.dumps(ready), flush=True)
        await stop.wait()


if __name__ == "__main__":
    uvloop.run(main())
