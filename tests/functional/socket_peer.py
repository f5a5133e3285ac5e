"""A Socket.IO client by hand, which can also do what the official ones never do.

It holds all that it gets against the declarations in realtime/messages.py.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from pydantic import BaseModel
from yarl import URL

from mediaserver.realtime import messages
from mediaserver.realtime.told import Refused
from tests.functional.platform_site import Person
from tests.shapes import strictly

DEADLINE_S = 20.0

_ANSWERS = {(one.namespace, one.name): one.answer for one in messages.FROM_CLIENT}
_EVENTS = {(one.namespace, one.name): one.payload for one in messages.FROM_SERVER}


def line(text: str, number: int, **more: Any) -> dict[str, Any]:
    """What `say` takes, in the channel alice."""
    return {"channel": "alice", "text": text, "nonce": f"nonce-{number:04}", **more}


class SocketPeer:
    """One WebSocket. Packets that nobody has waited for yet are kept, by namespace and name."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self.websocket = websocket
        self.refused: Any = None
        self._events: list[tuple[str, str, Any]] = []
        self._acks: dict[int, Any] = {}
        self._asked: dict[int, type[BaseModel]] = {}
        self._id = 0

    async def send(self, text: str) -> None:
        """As it is: packet types of Engine.IO and Socket.IO included."""
        await self.websocket.send_str(text)

    async def enter(self, namespace: str, auth: Mapping[str, Any] | None = None) -> bool:
        """Whether we were let in; else `refused` says why."""
        await self.send(f"40{namespace},{json.dumps(auth) if auth is not None else ''}")
        while True:
            text = await self._read()
            if text.startswith(f"40{namespace}"):
                return True
            if text.startswith(f"44{namespace}"):
                self.refused = json.loads(text.partition(",")[2])
                return False
            self._keep(text)

    async def emit(self, event: str, payload: Any, namespace: str = "/chat") -> int:
        """Without waiting for the answer; its number for `ack`."""
        self._id += 1
        self._asked[self._id] = _ANSWERS.get((namespace, event), Refused)
        await self.send(f"42{namespace},{self._id}{json.dumps([event, payload])}")
        return self._id

    async def ask(self, event: str, payload: Any, namespace: str = "/chat") -> Any:
        return await self.ack(await self.emit(event, payload, namespace))

    async def ack(self, number: int) -> Any:
        while number not in self._acks:
            self._keep(await self._read())
        return self._acks.pop(number)

    async def event(self, name: str, namespace: str = "/chat") -> Any:
        """The next event of that name, or one that came before."""
        while True:
            for index, (space, kept, payload) in enumerate(self._events):
                if (space, kept) == (namespace, name):
                    del self._events[index]
                    return payload
            self._keep(await self._read())

    async def lines(self, count: int) -> list[Any]:
        """The next events of a chat."""
        events: list[Any] = []
        while len(events) < count:
            events += (await self.event("events"))["events"]
        return events

    async def closed(self) -> int:
        """Wait for the end of the connection; its WebSocket code (1006: cut)."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                message = await self.websocket.receive()
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._keep(message.data)
                else:
                    return self.websocket.close_code or 1006

    async def _read(self) -> str:
        async with asyncio.timeout(DEADLINE_S):
            while True:
                message = await self.websocket.receive()
                if message.type is not aiohttp.WSMsgType.TEXT:
                    raise ConnectionError(f"the connection has ended: {message}")
                if message.data != "2":
                    return str(message.data)
                await self.send("3")

    def _keep(self, text: str) -> None:
        kind, rest = text[:2], text[2:]
        namespace, _, rest = rest.partition(",")
        if kind == "42":
            name, payload = json.loads(rest)
            strictly(_EVENTS[namespace, name], payload)
            self._events.append((namespace, name, payload))
        elif kind == "43":
            digits, bracket, values = rest.partition("[")
            (answer,) = json.loads(bracket + values)
            model = self._asked.pop(int(digits))
            strictly(model if answer["ok"] else Refused, answer)
            self._acks[int(digits)] = answer


@asynccontextmanager
async def connected(
    person: Person,
    *namespaces: str,
    auth: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> AsyncIterator[SocketPeer]:
    """A connection of `person`, inside `namespaces`."""
    url = person.base.join(URL("/socket.io/?EIO=4&transport=websocket"))
    async with person.http.ws_connect(url, headers=headers) as websocket:
        peer = SocketPeer(websocket)
        opening = await websocket.receive_str()
        assert opening.startswith("0{"), opening
        for namespace in namespaces:
            assert await peer.enter(namespace, auth), peer.refused
        yield peer
