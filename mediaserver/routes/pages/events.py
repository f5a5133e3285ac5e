"""/api/events: the AsyncAPI document as a page, which knows as much of JSON Schema as occurs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from aiohttp import web

from mediaserver.routes.keys import ASYNCAPI
from mediaserver.routes.page import page


async def events_page(request: web.Request) -> web.Response:
    return page(request, "events.html", outline(request.app[ASYNCAPI]))


async def events_json(request: web.Request) -> web.Response:
    return web.json_response(request.app[ASYNCAPI], headers={"Cache-Control": "no-cache"})


def outline(document: dict[str, Any]) -> dict[str, Any]:
    """What the template shows: namespaces with their events, then the objects within them."""
    schemas = document["components"]["schemas"]
    payloads = {
        _name(message["payload"]) for message in document["components"]["messages"].values()
    }
    return {
        "about": document["info"]["description"].split("\n\n"),
        "namespaces": [
            {
                "name": name,
                "address": channel["address"],
                "about": channel["description"],
                "events": list(_events(document, name)),
            }
            for name, channel in document["channels"].items()
        ],
        "refused": _fields(schemas, _name(_payload(document, "refused"))),
        "objects": [
            {"name": name, "about": schema.get("description", ""), "fields": _fields(schemas, name)}
            for name, schema in sorted(schemas.items())
            if name not in payloads
        ],
    }


def _events(document: dict[str, Any], channel: str) -> Iterator[dict[str, Any]]:
    schemas = document["components"]["schemas"]
    for name, operation in document["operations"].items():
        if operation["channel"]["$ref"] != f"#/channels/{channel}":
            continue
        is_asked = operation["action"] == "receive"
        yield {
            "anchor": name.replace(".", "-"),
            "name": operation["title"],
            "is_asked": is_asked,
            "about": operation["summary"],
            "fields": _fields(schemas, _name(_payload(document, name))),
            "example": _example(document, name),
            "answer": {
                "about": document["components"]["messages"][f"{name}.answer"]["summary"],
                "fields": _fields(schemas, _name(_payload(document, f"{name}.answer"))),
                "example": _example(document, f"{name}.answer"),
            }
            if is_asked
            else None,
        }


def _payload(document: dict[str, Any], message: str) -> dict[str, Any]:
    payload: dict[str, Any] = document["components"]["messages"][message]["payload"]
    return payload


def _example(document: dict[str, Any], message: str) -> str:
    (example,) = document["components"]["messages"][message]["examples"]
    return json.dumps(example["payload"], indent=2, ensure_ascii=False)


def _fields(schemas: dict[str, Any], name: str) -> list[dict[str, Any]]:
    schema = schemas[name]
    required = schema.get("required", ())
    return [
        {
            "name": field,
            "types": list(_types(described)),
            "is_optional": field not in required and "const" not in described,
            "about": described.get("description", ""),
        }
        for field, described in schema.get("properties", {}).items()
    ]


def _types(schema: dict[str, Any]) -> Iterator[dict[str, str | None]]:
    """Words and names of objects, in the order in which they are read."""
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices:
        for index, choice in enumerate(choices):
            if index:
                yield {"text": " or ", "to": None}
            yield from _types(choice)
    elif "$ref" in schema:
        yield {"text": _name(schema), "to": _name(schema)}
    elif "enum" in schema:
        yield {"text": ", ".join(json.dumps(value) for value in schema["enum"]), "to": None}
    elif "const" in schema:
        yield {"text": json.dumps(schema["const"]), "to": None}
    elif schema.get("type") == "array":
        yield {"text": "list of ", "to": None}
        yield from _types(schema.get("items", {}))
    else:
        yield {"text": schema.get("type", "anything"), "to": None}


def _name(schema: dict[str, Any]) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


routes = [web.get("/api/events", events_page), web.get("/api/asyncapi.json", events_json)]
