"""The OpenAPI 3.1 document, made from the operations themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

import mediaserver
from mediaserver.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    MediaserverError,
    NotFound,
    RateLimited,
    TooLarge,
    Unauthorized,
    Unavailable,
)
from mediaserver.routes.api.examples import add_examples
from mediaserver.routes.api.operation import PREFIX, Operation
from mediaserver.routes.errors import STATUS, BadJson
from mediaserver.webhooks.envelopes import KINDS, Kind

_REF = "#/components/schemas/{model}"

Named = dict[Any, dict[str, Any]]
"""Model → the reference to its schema."""

_ERROR_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "The one shape of every error.",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "examples": [{"code": "not_found", "message": "There is no such channel."}],
            "properties": {
                "code": {"type": "string", "description": "Stable, for programs."},
                "message": {"type": "string", "description": "For people; may change."},
                "field": {"type": "string", "description": "The field that is wrong."},
                "details": {
                    "type": "array",
                    "description": "All wrong fields.",
                    "items": {
                        "type": "object",
                        "required": ["field", "message"],
                        "properties": {
                            "field": {"type": "string"},
                            "message": {"type": "string"},
                        },
                    },
                },
            },
        }
    },
}


PATH_NAMES: Mapping[str, tuple[str, str]] = {
    "slug": ("The name in an address, such as that of a channel.", "alice"),
    "id": ("The id, as a list of them gives it.", "id_0123456789abcdefghjk"),
    "month": ("A month, as YYYY-MM.", "2026-11"),
    "team": ("The name of the team in its address.", "the-lab"),
    "key": ("The setting, as section.key.", "site.name"),
    "delivery_id": ("The id of a delivery.", "dlv_0123456789abcdefghjk"),
    "username": ("Whose it is, or who it is about.", "bob"),
    "code": ("The word between the colons.", "wave"),
    "name": ("One of those that a list gives.", "terms"),
    "starts_at_ms": ("When that one time begins.", "1900000000000"),
    "word": ("The word, or words, as they were typed.", "spam"),
}
"""What stands between braces in paths: what it means, and an example."""


def document(operations: Iterable[Operation], site_name: str) -> dict[str, Any]:
    """The document for `operations`."""
    operations = list(operations)
    models: dict[type[BaseModel], JsonSchemaMode] = {
        kind.envelope: "serialization" for kind in KINDS.values()
    }
    for operation in operations:
        if operation.body is not None:
            models[operation.body] = "validation"
        if operation.query is not None:
            models[operation.query] = "validation"
        if operation.answer is not None:
            models[operation.answer] = "serialization"
    references, schemas = models_json_schema(
        list(models.items()),
        ref_template=_REF,
    )
    named: Named = {model: reference for (model, _), reference in references.items()}
    definitions = {"Error": _ERROR_SCHEMA, **schemas.get("$defs", {})}
    add_examples(definitions)
    queries = _take_queries(operations, named, definitions)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(PREFIX + operation.path, {})[operation.method.lower()] = _operation(
            operation, named, queries.get(operation.query, {})
        )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{site_name} API",
            "version": mediaserver.__version__,
            "description": "Times are milliseconds since 1970 UTC. Programs log in at "
            "`/api/v1/auth/login` and send the access token as a bearer token.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "webhooks": {str(event): _webhook(kind, named) for event, kind in KINDS.items()},
        "components": {
            "schemas": definitions,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "session": {"type": "apiKey", "in": "cookie", "name": "sid"},
            },
        },
    }


def _take_queries(
    operations: Iterable[Operation], named: Named, definitions: dict[str, Any]
) -> Named:
    """The schemas of queries, out of the definitions: each field becomes a parameter instead."""
    queries = {operation.query for operation in operations if operation.query is not None}
    prefix = _REF.format(model="")
    return {query: definitions.pop(named[query]["$ref"].removeprefix(prefix)) for query in queries}


def _webhook(kind: Kind, named: Named) -> dict[str, Any]:
    """What another site is sent, and what its answer means."""
    headers = {
        "webhook-id": "The event; the same when it is sent again.",
        "webhook-timestamp": "When this attempt was sent, in seconds since 1970.",
        "webhook-signature": "`v1,` and the base64 HMAC-SHA256 of `id.timestamp.body` with the "
        "key behind `whsec_`. Two of them, with a space between, for a day after a new secret.",
    }
    return {
        "post": {
            "tags": ["Webhooks"],
            "summary": kind.label,
            "description": kind.explanation,
            "parameters": [
                {
                    "name": name,
                    "in": "header",
                    "required": True,
                    "description": text,
                    "schema": {"type": "string"},
                }
                for name, text in headers.items()
            ],
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": named[kind.envelope]}},
            },
            "responses": {
                "2XX": {"description": "Taken."},
                "410": {"description": "Never again: the webhook is turned off."},
                "default": {"description": "It is sent again later."},
            },
        }
    }


def _operation(operation: Operation, named: Named, query: dict[str, Any]) -> dict[str, Any]:
    documented: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": _description(operation),
        "responses": _responses(operation, named),
        "security": [{"bearer": []}, {"session": []}] if operation.sign_in else [],
    }
    if parameters := [*_path_parameters(operation.path), *_query_parameters(query)]:
        documented["parameters"] = parameters
    if operation.body is not None:
        documented["requestBody"] = {
            "required": not operation.is_body_optional,
            "content": {"application/json": {"schema": named[operation.body]}},
        }
    elif operation.upload_bytes_max is not None:
        documented["requestBody"] = {
            "required": True,
            "description": f"The file itself, at most {operation.upload_bytes_max} bytes.",
            "content": _files(operation.upload_types),
        }
    return documented


def _path_parameters(path: str) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", path):
        description, example = PATH_NAMES.get(name, ("", name))
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "description": description,
            "schema": {"type": "string", "examples": [example]},
        }


def _query_parameters(query: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, field in query.get("properties", {}).items():
        rest = {key: value for key, value in field.items() if key != "description"}
        yield {
            "name": name,
            "in": "query",
            "required": name in query.get("required", ()),
            "description": field.get("description", ""),
            "schema": rest,
        }


def _description(operation: Operation) -> str:
    """What the handler says, and what the decorator asks for."""
    asked = []
    if operation.sign_in:
        asked.append(f"Personal tokens need the scope `{operation.scope}`.")
    if operation.confirm:
        asked.append("Confirm that it is you first: `POST /auth/confirm`.")
    return "\n\n".join([operation.description, *asked])


def _responses(operation: Operation, named: Named) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    if operation.answer_types:
        content = _files(operation.answer_types)
        responses[str(operation.status)] = {"description": "The file itself.", "content": content}
    elif operation.answer is None:
        responses[str(operation.status)] = {"description": "Done; there is no body."}
    else:
        responses[str(operation.status)] = {
            "description": (operation.answer.__doc__ or "Done.").strip(),
            "content": {"application/json": {"schema": named[operation.answer]}},
        }
    for error in _errors(operation):
        status = str(STATUS[error])
        responses[status] = _plain(_CAUSES[error])
    if operation.body is not None or operation.upload_bytes_max is not None:
        responses["415"] = _plain("The body has another content type than this takes.")
    return responses


def _files(media_types: Iterable[str]) -> dict[str, Any]:
    return {one: {"schema": {"type": "string", "format": "binary"}} for one in media_types}


def _plain(description: str) -> dict[str, Any]:
    """An answer with an error that has no kind of its own."""
    return {
        "description": description,
        "content": {"application/json": {"schema": {"$ref": _REF.format(model="Error")}}},
    }


def _errors(operation: Operation) -> list[type[MediaserverError]]:
    errors = set(operation.errors)
    if operation.sign_in:
        errors |= {Unauthorized, Forbidden}
    if operation.body is not None:
        errors |= {BadJson, Invalid, TooLarge}
    if operation.query is not None:
        errors.add(Invalid)
    if "{" in operation.path:
        errors.add(NotFound)
    if operation.upload_bytes_max is not None:
        errors |= {Invalid, TooLarge}
    return sorted(errors, key=lambda error: STATUS[error])


_CAUSES: dict[type[MediaserverError], str] = {
    Unauthorized: "Not logged in, or the token or password is wrong.",
    BadJson: "The body isn't JSON.",
    Invalid: "A value is wrong; `field` names it.",
    TooLarge: "It has more bytes than are taken.",
    Conflict: "It contradicts what is already so.",
    Forbidden: "The caller may not do that.",
    NotFound: "There is no such thing.",
    Unavailable: "Not right now; the header Retry-After says when again, in seconds.",
    RateLimited: "Too many attempts; the header Retry-After says when again, in seconds.",
}
