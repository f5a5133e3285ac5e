"""What is wrong with a body or a query, in plain sentences: the one place that knows pydantic's
words for it. Called by operation.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from mediaserver.routes.errors import BadInput, BadJson

_Context = Mapping[str, Any]

_SENTENCES: Mapping[str, str | Callable[[_Context], str]] = {
    "missing": "This is missing.",
    "extra_forbidden": "There is no such field.",
    "string_type": "This must be text.",
    "string_unicode": "This must be text.",
    "string_too_short": lambda c: f"Use at least {_count(c['min_length'], 'character')}.",
    "string_too_long": lambda c: f"Use at most {_count(c['max_length'], 'character')}.",
    "string_pattern_mismatch": "This doesn't have the right form.",
    "too_short": lambda c: f"Give at least {c['min_length']}.",
    "too_long": lambda c: f"Give at most {c['max_length']}.",
    "bool_type": "This must be true or false.",
    "bool_parsing": "This must be true or false.",
    "int_type": "This must be a whole number.",
    "int_parsing": "This must be a whole number.",
    "int_parsing_size": "This number is too large.",
    "int_from_float": "This must be a whole number.",
    "float_type": "This must be a number.",
    "float_parsing": "This must be a number.",
    "finite_number": "This must be a number.",
    "greater_than": lambda c: f"This must be more than {c['gt']}.",
    "greater_than_equal": lambda c: f"This must be at least {c['ge']}.",
    "less_than": lambda c: f"This must be less than {c['lt']}.",
    "less_than_equal": lambda c: f"This must be at most {c['le']}.",
    "list_type": "This must be a list.",
    "tuple_type": "This must be a list.",
    "set_type": "This must be a list.",
    "frozen_set_type": "This must be a list.",
    "dict_type": "This must be an object.",
    "model_type": "This must be an object.",
    "model_attributes_type": "This must be an object.",
    "enum": lambda c: f"Choose one of {c['expected']}.",
    "literal_error": lambda c: f"Choose one of {c['expected']}.",
    "none_required": "This must be null.",
}
"""Kind of problem → what people and programs are told."""


def bad_input(error: ValidationError) -> BadInput | BadJson:
    """The error to raise instead of `error`."""
    problems = error.errors(include_url=False, include_input=False)
    if problems[0]["type"] == "json_invalid":
        return BadJson(f"The body isn't JSON: {problems[0]['ctx']['error']}.")
    details = [
        {"field": ".".join(map(str, problem["loc"])), "message": _sentence(problem)}
        for problem in problems
    ]
    first = details[0]
    where = f"{first['field']}: " if first["field"] else ""
    return BadInput(f"{where}{first['message']}", first["field"] or None, details)


def _sentence(problem: Mapping[str, Any]) -> str:
    said = _SENTENCES.get(problem["type"], "This isn't right.")
    return said if isinstance(said, str) else said(problem["ctx"])


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
