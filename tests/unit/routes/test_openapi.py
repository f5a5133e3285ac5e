"""The published document is valid and says everything."""

from __future__ import annotations

import json
from typing import Any

from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from mediaserver.routes.api.examples import refers
from mediaserver.routes.api.openapi import document
from mediaserver.routes.app import OPERATIONS
from mediaserver.webhooks.envelopes import EventType

DOCUMENT = document(OPERATIONS, "Test")


def test_it_is_valid() -> None:
    OpenAPIV31SpecValidator(json.loads(json.dumps(DOCUMENT))).validate()


def test_every_operation_is_described_with_its_errors() -> None:
    count = 0
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            count += 1
            where = f"{method} {path}"
            assert operation["summary"], where
            assert len(operation["description"]) > 10, where
            assert operation["tags"], where
            statuses = set(operation["responses"])
            assert any(status.startswith("2") for status in statuses), where
            if operation["security"]:
                assert "401" in statuses, where
            if "requestBody" in operation:
                assert {"413", "415", "422"} <= statuses, where
            if "application/json" in operation.get("requestBody", {}).get("content", {}):
                assert "400" in statuses, where
            if "{" in path:
                assert "404" in statuses, where
    assert count == len(OPERATIONS)


def test_every_parameter_is_described_with_an_example() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            for parameter in operation.get("parameters", ()):
                where = f"{method} {path} {parameter['name']}"
                assert len(parameter["description"]) > 10, where
                schema = parameter["schema"]
                assert refers(schema) or _examples(schema), where


def test_every_field_has_an_example_that_fits() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        for field, given in schema.get("properties", {}).items():
            assert refers(given) or _examples(given), f"{name}.{field}"


def _examples(schema: dict[str, Any]) -> list[Any]:
    """Each fits its own schema."""
    for example in schema.get("examples", ()):
        Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(example)
    return list(schema.get("examples", ()))


def test_each_model_has_a_name_of_its_own() -> None:
    """Of two with one name the document would show the path of their modules."""
    assert not [name for name in DOCUMENT["components"]["schemas"] if "__" in name]


def test_every_event_of_a_webhook_is_described() -> None:
    assert set(DOCUMENT["webhooks"]) == {str(event) for event in EventType}
    for event, methods in DOCUMENT["webhooks"].items():
        assert len(methods["post"]["description"]) > 10, event
        schema = methods["post"]["requestBody"]["content"]["application/json"]["schema"]
        name = schema["$ref"].rpartition("/")[2]
        assert DOCUMENT["components"]["schemas"][name]["required"] == [
            *("id", "type", "created_at", "channel", "data"),
        ]


def test_names_are_unique() -> None:
    names = [operation.name for operation in OPERATIONS]
    assert len(set(names)) == len(names)


def test_the_contract_is_there() -> None:
    paths = {(operation.method, operation.path) for operation in OPERATIONS}
    assert {
        ("POST", "/auth/register"),
        ("POST", "/auth/login"),
        ("POST", "/auth/refresh"),
        ("POST", "/auth/logout"),
        ("GET", "/me"),
        ("GET", "/channels"),
        ("POST", "/channels"),
        ("GET", "/channels/{slug}"),
        ("PATCH", "/channels/{slug}"),
        ("GET", "/channels/{slug}/stream-keys"),
        ("POST", "/channels/{slug}/stream-keys"),
        ("DELETE", "/channels/{slug}/stream-keys/{id}"),
        ("GET", "/channels/{slug}/live"),
        ("GET", "/live"),
        ("POST", "/channels/{slug}/stop"),
    } <= paths
