"""No body of the API takes a field that it doesn't name, least of all one that gives power."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from mediaserver.routes.api.operation import Operation
from mediaserver.routes.app import OPERATIONS
from tests.functional.desk import make_admin
from tests.functional.platform_site import running_site

WITH_BODY = [one for one in OPERATIONS if one.body is not None]
POWERFUL = ("is_admin", "is_premium", "is_banned", "banned_until_ms", "user_id", "owner_id")


def _models(model: Any, found: set[type[BaseModel]]) -> set[type[BaseModel]]:
    """A model and those inside it."""
    if isinstance(model, type) and issubclass(model, BaseModel) and model not in found:
        found.add(model)
        for field in model.model_fields.values():
            _models(field.annotation, found)
    for inside in getattr(model, "__args__", ()):
        _models(inside, found)
    return found


@pytest.mark.parametrize("operation", WITH_BODY, ids=lambda one: one.name)
def test_every_model_of_a_body_names_all_it_takes(operation: Operation) -> None:
    for model in _models(operation.body, set()):
        assert model.model_config.get("extra") == "forbid", model
        assert not set(POWERFUL) & set(model.model_fields), model


async def test_powerful_fields_are_refused_by_every_operation(tmp_path: Path) -> None:
    async with running_site(tmp_path) as site:
        boss = await make_admin(site)
        for operation in WITH_BODY:
            path = re.sub(r"{\w+}", "boss", operation.path)
            status, answer = await boss.api(operation.method, path, dict.fromkeys(POWERFUL, True))
            where = (operation.method, operation.path, answer)
            assert status == 422, where
            refused = {one["field"] for one in answer["error"]["details"]}
            assert set(POWERFUL) <= refused, where
        _, me = await boss.api("GET", "/me")
        assert me["role"] == "admin"
