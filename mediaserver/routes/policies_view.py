"""Policies on pages: which are still to be accepted, and what a form says was accepted."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from mediaserver.channels.policies import Kind, Policy, Standing
from mediaserver.kernel.errors import Forbidden, Invalid


def policy_view(policy: Policy) -> dict[str, Any]:
    """What templates show of a policy."""
    return dataclasses.asdict(policy) | {"kind": str(policy.kind), "field": _field(policy.kind)}


def outstanding(standing: Iterable[Standing]) -> list[dict[str, Any]]:
    """Those that somebody has not accepted in their current version."""
    return [policy_view(one.policy) for one in standing if one.accepted_at_ms is None]


def accepted_in(form: Mapping[str, str]) -> list[str]:
    """The ids of the policies whose boxes were ticked."""
    return [form[_field(kind)] for kind in Kind if form.get(_field(kind))]


def unaccepted(error: Forbidden) -> Invalid:
    """The error of a form in which a box was left empty; others are raised again."""
    if error.code != "policies_not_accepted":
        raise error
    return Invalid(error.message, field="accepted")


def _field(kind: Kind) -> str:
    return f"accept_{kind}"
