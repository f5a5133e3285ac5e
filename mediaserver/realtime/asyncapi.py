"""The AsyncAPI 3 document of everything behind /socket.io/, made from the declarations.

A namespace is a channel, an event is a message; what a client sends the application "receives", and
its acknowledgement is the reply.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

import mediaserver
from mediaserver.kernel import limits
from mediaserver.realtime import messages
from mediaserver.realtime.messages import FromClient, FromServer
from mediaserver.realtime.told import Refused

_SCHEMA = "#/components/schemas/{model}"

_NAMESPACES = {
    messages.CHAT: "Rooms of channels: the chat, what you may do in it, the stream and its "
    "viewers. Anybody may connect and read. Writing needs a session cookie, a ticket from "
    '`POST /api/v1/realtime/ticket` as auth `{"ticket": …}`, or the token of a dock as '
    '`{"token": …}`.',
    messages.STUDIO: "Health and activity of a stream, for the channel's owner and moderators. "
    "Auth as in /chat.",
    messages.OVERLAY: "One channel's chat to read, for pages in streaming software. Auth is "
    '`{"token": …}`, the token of the channel\'s overlays.',
}

_DESCRIPTION = f"""\
Socket.IO (protocol 5, Engine.IO 4) at `/socket.io/`, over WebSocket or polling.

Each event carries one object and is acknowledged with one: `{{"ok": true, …}}`, or
`{{"ok": false, "error": {{…}}}}` with the codes of the HTTP API. An object with a field that isn't
named here is refused. Times are milliseconds since 1970 UTC.

Everything that happens in a chat has a sequence without gaps. Whoever returns joins with `after`,
the last sequence they have, and gets exactly what they missed; whoever sees a gap joins again.

One connection may send {limits.REALTIME_PACKETS_BURST} packets at once and then
{limits.REALTIME_PACKETS_PER_S} a second; what is beyond is answered with `rate_limited`, and
{limits.REALTIME_REFUSED_MAX} of those end the connection. A message is at most
{limits.REALTIME_MESSAGE_BYTES_MAX // 1024} KiB, without binary data. Who doesn't read what they
get is disconnected. A page of another site may not connect."""


def document(site_name: str, live: type[BaseModel]) -> dict[str, Any]:
    """`live` is the API's model of a live stream, as routes/ answers it."""
    models: dict[type[BaseModel], JsonSchemaMode] = {
        Refused: "serialization",
        live: "serialization",
    }
    for asked in messages.FROM_CLIENT:
        models[asked.payload] = "validation"
        models[asked.answer] = "serialization"
    for told in messages.FROM_SERVER:
        models[told.payload] = "serialization"
    references, schemas = models_json_schema(list(models.items()), ref_template=_SCHEMA)
    named = {model: reference for (model, _), reference in references.items()}
    definitions = schemas["$defs"]
    _drop_discriminators(definitions)  # OpenAPI's; AsyncAPI has another, without a mapping
    definitions["Live"] = {**definitions.pop(live.__name__), "title": "Live"}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": f"{site_name} events",
            "version": mediaserver.__version__,
            "description": _DESCRIPTION,
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "site": {
                "host": "{host}",
                "pathname": "/socket.io/",
                "protocol": "socket.io",
                "variables": {"host": {"default": "localhost:8080"}},
            }
        },
        "channels": {_key(path): _channel(path, text) for path, text in _NAMESPACES.items()},
        "operations": {
            **{_id(asked): _receive(asked) for asked in messages.FROM_CLIENT},
            **{_id(told): _send(told) for told in messages.FROM_SERVER},
        },
        "components": {
            "messages": {
                "refused": _message("refused", Refused, messages.REFUSED_EXAMPLE, named),
                **{
                    _id(asked): _message(asked.name, asked.payload, asked.example, named)
                    for asked in messages.FROM_CLIENT
                },
                **{
                    f"{_id(asked)}.answer": _message(
                        f"{asked.name} answer", asked.answer, asked.answer_example, named
                    )
                    for asked in messages.FROM_CLIENT
                },
                **{
                    _id(told): _message(told.name, told.payload, told.example, named)
                    for told in messages.FROM_SERVER
                },
            },
            "schemas": definitions,
        },
    }


def _drop_discriminators(schema: Any) -> None:
    if isinstance(schema, dict):
        if "oneOf" in schema:
            schema.pop("discriminator", None)
        for value in schema.values():
            _drop_discriminators(value)
    elif isinstance(schema, list):
        for value in schema:
            _drop_discriminators(value)


def _key(namespace: str) -> str:
    return namespace.strip("/")


def _id(event: FromClient | FromServer) -> str:
    return f"{_key(event.namespace)}.{event.name}"


def _channel(namespace: str, description: str) -> dict[str, Any]:
    ids = ["refused"]
    for asked in messages.FROM_CLIENT:
        if asked.namespace == namespace:
            ids += [_id(asked), f"{_id(asked)}.answer"]
    ids += [_id(told) for told in messages.FROM_SERVER if told.namespace == namespace]
    return {
        "address": namespace,
        "title": namespace,
        "description": description,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in ids},
    }


def _receive(asked: FromClient) -> dict[str, Any]:
    channel = _reference(asked.namespace)
    return {
        "action": "receive",
        "channel": channel,
        "title": asked.name,
        "summary": _summary(asked.payload),
        "messages": [_reference(asked.namespace, _id(asked))],
        "reply": {
            "channel": channel,
            "messages": [
                _reference(asked.namespace, f"{_id(asked)}.answer"),
                _reference(asked.namespace, "refused"),
            ],
        },
    }


def _send(told: FromServer) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": _reference(told.namespace),
        "title": told.name,
        "summary": _summary(told.payload),
        "messages": [_reference(told.namespace, _id(told))],
    }


def _reference(namespace: str, message: str | None = None) -> dict[str, str]:
    path = f"#/channels/{_key(namespace)}"
    return {"$ref": path if message is None else f"{path}/messages/{message}"}


def _message(
    name: str, model: type[BaseModel], example: dict[str, Any], named: dict[Any, Any]
) -> dict[str, Any]:
    return {
        "name": name,
        "title": name,
        "summary": _summary(model),
        "payload": named[model],
        "examples": [{"payload": example}],
    }


def _summary(model: type[BaseModel]) -> str:
    assert model.__doc__, f"{model.__name__} has no description"
    return " ".join(model.__doc__.split())
