"""What is wrong with a body, in plain sentences: never the words of the library that found it."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, ValidationError

from mediaserver.routes.api.bad_input import bad_input
from mediaserver.routes.api.operation import Body
from mediaserver.routes.app import OPERATIONS
from mediaserver.routes.errors import BadInput, BadJson, problem_of


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Inner(Body):
    size: int = Field(ge=1, le=9)


class Everything(Body):
    text: str = Field(min_length=2, max_length=3, pattern="^[a-z]+$")
    number: int = 1
    flag: bool = True
    share: float = Field(0.5, gt=0, lt=1)
    kind: Literal["a", "b"] = "a"
    colour: Annotated[Colour, Field(strict=False)] = Colour.RED
    items: list[str] = Field([], max_length=2)
    pairs: dict[str, bool] = Field({}, min_length=0)
    inner: Inner | None = None


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ("{}", "text", "This is missing."),
        ('{"text": 1}', "text", "This must be text."),
        ('{"text": "a"}', "text", "Use at least 2 characters."),
        ('{"text": "abcd"}', "text", "Use at most 3 characters."),
        ('{"text": "12"}', "text", "This doesn't have the right form."),
        ('{"text": "ab", "more": 1}', "more", "There is no such field."),
        ('{"text": "ab", "number": "1"}', "number", "This must be a whole number."),
        ('{"text": "ab", "number": 1.5}', "number", "This must be a whole number."),
        ('{"text": "ab", "flag": "yes"}', "flag", "This must be true or false."),
        ('{"text": "ab", "share": 1}', "share", "This must be less than 1.0."),
        ('{"text": "ab", "share": "x"}', "share", "This must be a number."),
        ('{"text": "ab", "kind": "c"}', "kind", "Choose one of 'a' or 'b'."),
        ('{"text": "ab", "colour": "green"}', "colour", "Choose one of 'red' or 'blue'."),
        ('{"text": "ab", "items": "x"}', "items", "This must be a list."),
        ('{"text": "ab", "items": ["a", "b", "c"]}', "items", "Give at most 2."),
        ('{"text": "ab", "items": [null]}', "items.0", "This must be text."),
        ('{"text": "ab", "pairs": []}', "pairs", "This must be an object."),
        ('{"text": "ab", "inner": {"size": 0}}', "inner.size", "This must be at least 1."),
        ('{"text": "ab", "inner": {"size": 10}}', "inner.size", "This must be at most 9."),
        ('{"text": "ab", "inner": 1}', "inner", "This must be an object."),
    ],
)
def test_each_problem_is_a_sentence(body: str, field: str, message: str) -> None:
    error = _error(body)
    assert isinstance(error, BadInput)
    assert (error.field, error.message) == (field, f"{field}: {message}")
    assert error.details == [{"field": field, "message": message}]


def test_all_problems_are_told_at_once() -> None:
    error = _error('{"text": 1, "number": "x"}')
    assert isinstance(error, BadInput)
    assert [one["field"] for one in error.details] == ["text", "number"]


def test_a_body_that_is_no_object() -> None:
    error = _error("[]")
    assert isinstance(error, BadInput)
    assert (error.field, error.message) == (None, "This must be an object.")


@pytest.mark.parametrize("body", ["", "{", "nonsense", '{"text": "a}', "\0"])
def test_a_body_that_is_no_json(body: str) -> None:
    error = _error(body)
    assert isinstance(error, BadJson)
    assert error.message.startswith("The body isn't JSON: ")
    assert "line 1 column" in error.message
    problem = problem_of(error)
    assert (problem.status, problem.code) == (400, "bad_json")


def _error(body: str) -> Any:
    with pytest.raises(ValidationError) as caught:
        Everything.model_validate_json(body)
    return bad_input(caught.value)


def test_no_body_of_the_api_answers_in_a_librarys_words() -> None:
    """Every body, with each of its fields wrong in several ways."""
    for operation in OPERATIONS:
        if operation.body is None:
            continue
        for name in operation.body.model_fields:
            for value in (None, [], {}, 5, -1, 1.5, "x" * 100_000, True, [[]], {"a": {}}):
                try:
                    operation.body.model_validate_json(json.dumps({name: value}))
                except ValidationError as error:
                    told = bad_input(error)
                    assert isinstance(told, BadInput)
                    for one in told.details:
                        assert "should" not in one["message"], (operation.path, name, value)
                        assert one["message"] != "This isn't right.", (operation.path, name, value)
