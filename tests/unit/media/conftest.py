"""Hypothesis for all media tests: the same examples in every run, and nothing timed."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "media",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("media")
