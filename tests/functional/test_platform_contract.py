"""The running site against its own API document: made-up requests to every operation, as an admin
and as nobody. No answer is a server's error, none has a status or a shape that isn't documented.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode, openapi
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from mediaserver.kernel import limits
from tests.functional.platform_site import PASSWORD, Person, Site, running_site

EXAMPLES = 2
"""Made-up requests for each operation, person and way of making them."""

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
KNOWN = {"slug": "alice", "username": "bob", "name": "terms", "code": "wave"}
"""What is there: without it every path would lead to a 404."""

ENDS_THE_LOG_IN = {"logout", "delete_me", "change_password"}
"""Operations after which the admin could do nothing more here."""


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    monkeypatch.setattr(limits, "CONFIRMED_MS", 3600 * 1000)
    async with running_site(tmp_path) as running:
        yield running


async def test_as_an_admin(site: Site) -> None:
    admin = await _admin(site)
    await site.member("bob")
    await _hold_against_the_document(site, f"Bearer {admin.token}")


async def test_as_nobody(site: Site) -> None:
    await _admin(site)
    await _hold_against_the_document(site, None)


async def test_it_finds_what_is_not_documented(site: Site) -> None:
    """The instrument itself: a document that says less than is true."""
    _, text, _ = await site.person().get("/api/openapi.json")
    document = json.loads(text)
    shown = document["paths"]["/api/v1/channels/{slug}"]
    document["paths"] = {"/api/v1/channels/{slug}": {"get": shown["get"]}}
    assert not await asyncio.to_thread(lambda: list(_problems(document, str(site.base), None)))
    del shown["get"]["responses"]["404"]
    problems = await asyncio.to_thread(lambda: list(_problems(document, str(site.base), None)))
    assert "Undocumented status code" in problems[0]


async def _admin(site: Site) -> Person:
    """Whoever sets the site up, with the channel alice."""
    person = site.person()
    form = {
        "token": site.setup_token,
        "username": "theroot",
        "email": "root@example.org",
        "password": PASSWORD,
        "channel_name": "Alice",
        "channel_slug": "alice",
    }
    status, text, _ = await person.post("/setup", form)
    assert status == 303, text
    await person.log_in_as_program("theroot")
    return person


async def _hold_against_the_document(site: Site, authorization: str | None) -> None:
    _, text, _ = await site.person().get("/api/openapi.json")
    problems = await asyncio.to_thread(
        lambda: list(_problems(json.loads(text), str(site.base), authorization))
    )
    assert not problems, "\n\n".join(problems)


def _problems(document: Any, base_url: str, authorization: str | None) -> Iterator[str]:
    """One text for each operation that isn't what the document says."""
    schema = openapi.from_dict(document)
    headers = {} if authorization is None else {"Authorization": authorization}
    with requests.Session() as session:
        for result in schema.get_all_operations():
            operation = result.ok()
            if operation.definition.raw["operationId"] in ENDS_THE_LOG_IN:
                continue
            names = {one.name for one in operation.path_parameters}
            known = {name: value for name, value in KNOWN.items() if name in names}
            ways = [(GenerationMode.POSITIVE, known)]
            if authorization is not None:
                ways += [(GenerationMode.NEGATIVE, known), (GenerationMode.POSITIVE, {})]
            for mode, path in ways:
                strategy = operation.as_strategy(mode, path_parameters=path or None)
                if problem := _problem(strategy, base_url, headers, session):
                    yield problem


def _problem(
    strategy: Any, base_url: str, headers: dict[str, str], session: requests.Session
) -> str:
    """The first request that shows one, and what is wrong; empty when there is none."""

    @given(case=strategy)
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Case) -> None:
        response = case.call(base_url=base_url, headers=headers, session=session, timeout=20)
        case.validate_response(response, checks=CHECKS)

    try:
        ask()
    except FailureGroup as failures:
        return "\n".join(str(one) for one in failures.exceptions)
    except Unsatisfiable:
        pass  # nothing about it can be made up wrong
    return ""
