"""The published document is valid and says everything."""

from __future__ import annotations

import json

from openapi_spec_validator import OpenAPIV31SpecValidator

from mediaserver.routes.api.openapi import document
from mediaserver.routes.app import OPERATIONS

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
                assert {"422"} <= statuses, where
            if "{" in path:
                assert "404" in statuses, where
    assert count == len(OPERATIONS)


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
