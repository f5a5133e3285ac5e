"""The OpenAPI 3.1 document, made from the operations themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
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
from mediaserver.routes.api.operation import PREFIX, Operation
from mediaserver.routes.errors import STATUS
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


def document(operations: Iterable[Operation], site_name: str) -> dict[str, Any]:
    """The document for `operations`."""
    operations = list(operations)
    models: dict[type[BaseModel], JsonSchemaMode] = {
        kind.envelope: "serialization" for kind in KINDS.values()
    }
    for operation in operations:
        if operation.body is not None:
            models[operation.body] = "validation"
        if operation.answer is not None:
            models[operation.answer] = "serialization"
    references, schemas = models_json_schema(
        list(models.items()),
        ref_template=_REF,
    )
    named: Named = {model: reference for (model, _), reference in references.items()}
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(PREFIX + operation.path, {})[operation.method.lower()] = _operation(
            operation, named
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
            "schemas": {"Error": _ERROR_SCHEMA, **schemas.get("$defs", {})},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "session": {"type": "apiKey", "in": "cookie", "name": "sid"},
            },
        },
    }


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


def _operation(operation: Operation, named: Named) -> dict[str, Any]:
    documented: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": _description(operation),
        "responses": _responses(operation, named),
        "security": [{"bearer": []}, {"session": []}] if operation.sign_in else [],
    }
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", operation.path)
    ]
    if operation.query is not None:
        schema = operation.query.model_json_schema()
        schema = _inlined(schema, schema.get("$defs", {}))
        parameters += [
            {
                "name": name,
                "in": "query",
                "required": name in schema.get("required", ()),
                "description": field.pop("description", ""),
                "schema": field,
            }
            for name, field in schema["properties"].items()
        ]
    if parameters:
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


def _description(operation: Operation) -> str:
    """What the handler says, and what the decorator asks for."""
    asked = []
    if operation.sign_in:
        asked.append(f"Personal tokens need the scope `{operation.scope}`.")
    if operation.confirm:
        asked.append("Confirm that it is you first: `POST /auth/confirm`.")
    return "\n\n".join([operation.description, *asked])


def _inlined(part: Any, definitions: Mapping[str, Any]) -> Any:
    """The schema with its own definitions in place of references to them: a parameter stands in
    the document without them.
    """
    if isinstance(part, list):
        return [_inlined(one, definitions) for one in part]
    if not isinstance(part, dict):
        return part
    found = {name: _inlined(one, definitions) for name, one in part.items() if name != "$ref"}
    if "$ref" in part:
        found = {**_inlined(definitions[part["$ref"].rpartition("/")[2]], definitions), **found}
    return found


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
        responses[status] = {
            "description": _CAUSES[error],
            "content": {"application/json": {"schema": {"$ref": _REF.format(model="Error")}}},
        }
    return responses


def _files(media_types: Iterable[str]) -> dict[str, Any]:
    return {one: {"schema": {"type": "string", "format": "binary"}} for one in media_types}


def _errors(operation: Operation) -> list[type[MediaserverError]]:
    errors = set(operation.errors)
    if operation.sign_in:
        errors |= {Unauthorized, Forbidden}
    if operation.body is not None or operation.query is not None:
        errors.add(Invalid)
    if operation.upload_bytes_max is not None:
        errors |= {Invalid, TooLarge}
    return sorted(errors, key=lambda error: STATUS[error])


_CAUSES: dict[type[MediaserverError], str] = {
    Unauthorized: "Not logged in, or the token or password is wrong.",
    Invalid: "A value is wrong; `field` names it.",
    TooLarge: "It has more bytes than are taken.",
    Conflict: "It contradicts what is already so.",
    Forbidden: "The caller may not do that.",
    NotFound: "There is no such thing.",
    Unavailable: "Not right now; the header Retry-After says when again, in seconds.",
    RateLimited: "Too many attempts; the header Retry-After says when again, in seconds.",
}
