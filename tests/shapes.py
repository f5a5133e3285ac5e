"""Whether a value has exactly the shape that a model declares."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel


def strictly(model: type[BaseModel], value: Any) -> None:
    """Valid, and nothing in it that the model doesn't name (unless it allows more)."""
    parsed = model.model_validate_json(json.dumps(value))
    assert json.loads(parsed.model_dump_json(exclude_unset=True)) == value
