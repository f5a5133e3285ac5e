"""The admin desk, one module for each of its pages. frame.py is what they share."""

from __future__ import annotations

from mediaserver.routes.pages.admin import (
    appeals,
    backups,
    overview,
    policies,
    reports,
    sanctions,
    users,
    webhooks,
)

UPLOADS = policies.UPLOADS
"""Routes that take more than a small body, and how many bytes."""

routes = [
    *overview.routes,
    *users.routes,
    *appeals.routes,
    *reports.routes,
    *sanctions.routes,
    *policies.routes,
    *backups.routes,
    *webhooks.routes,
]
