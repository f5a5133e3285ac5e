"""The document and the code agree, and the document is AsyncAPI 3."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mediaserver.realtime import messages
from mediaserver.realtime.asyncapi import document
from mediaserver.realtime.chat import ChatNamespace
from mediaserver.realtime.overlay import OverlayNamespace
from mediaserver.realtime.studio import StudioNamespace
from mediaserver.routes.api.live import LiveOut
from tests.shapes import strictly

SCHEMA = Path(__file__).parents[2] / "schemas" / "asyncapi-3.0.0.json.gz"
SOURCES = Path(messages.__file__).parent


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return document("Test", LiveOut)


def test_it_is_valid(made: dict[str, Any]) -> None:
    schema = json.loads(gzip.decompress(SCHEMA.read_bytes()))
    jsonschema.Draft7Validator(schema).validate(made)


def test_every_reference_leads_somewhere(made: dict[str, Any]) -> None:
    references = set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(made)))
    assert references
    for reference in references:
        found = made
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        assert found


def test_what_is_handled_is_what_is_documented(made: dict[str, Any]) -> None:
    none: Any = None
    namespaces = (
        ChatNamespace(none, none, none, none, none, none, none, none, none),
        StudioNamespace(none, none, none, none, none, none, none, none),
        OverlayNamespace(none, none, none, none, none, none),
    )
    handled = {f"{space.path.strip('/')}.{name}" for space in namespaces for name in space.events}
    assert handled == {
        name for name, operation in made["operations"].items() if operation["action"] == "receive"
    }
    assert {channel["address"] for channel in made["channels"].values()} == {
        space.path for space in namespaces
    }


def test_every_event_that_is_sent_is_declared_and_the_other_way_round(
    made: dict[str, Any],
) -> None:
    declared = {
        name: value
        for name, value in vars(messages).items()
        if isinstance(value, messages.FromServer)
    }
    assert set(declared.values()) == set(messages.FROM_SERVER)
    code = "\n".join(path.read_text() for path in SOURCES.glob("*.py") if path.stem != "messages")
    for name in declared:
        assert re.search(rf"messages\.{name}\b", code), f"{name} is never sent"
    assert len(re.findall(r"packets\.event\(", code)) == 1, "encode() is the one way out"
    sent = {f"{one.namespace.strip('/')}.{one.name}" for one in messages.FROM_SERVER}
    assert sent == {
        name for name, operation in made["operations"].items() if operation["action"] == "send"
    }


def test_all_is_described_with_an_example(made: dict[str, Any]) -> None:
    for name, message in made["components"]["messages"].items():
        assert message["summary"].endswith("."), name
        assert message["examples"], name
    for operation in made["operations"].values():
        assert operation["summary"]


@pytest.mark.parametrize(
    "event", messages.FROM_CLIENT, ids=lambda one: f"{one.namespace} {one.name}"
)
def test_examples_of_clients_are_taken(event: messages.FromClient) -> None:
    event.payload.model_validate(event.example)
    strictly(event.answer, event.answer_example)


@pytest.mark.parametrize(
    "event", messages.FROM_SERVER, ids=lambda one: f"{one.namespace} {one.name}"
)
def test_examples_of_the_server_have_their_shape(event: messages.FromServer) -> None:
    strictly(event.payload, event.example)
