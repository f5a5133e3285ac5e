"""The admin desk, one module for each of its pages. frame.py is what they share."""

from __future__ import annotations

from mediaserver.routes.pages.admin import (
    appeals,
    audit,
    backups,
    jobs,
    live,
    mail,
    overview,
    policies,
    reports,
    sanctions,
    settings,
    storage,
    users,
    verification,
    webhooks,
)

UPLOADS = policies.UPLOADS
"""Routes that take more than a small body, and how many bytes."""

routes = [
    *overview.routes,
    *users.routes,
    *verification.routes,
    *live.routes,
    *appeals.routes,
    *reports.routes,
    *sanctions.routes,
    *policies.routes,
    *settings.routes,
    *mail.routes,
    *jobs.routes,
    *storage.routes,
    *backups.routes,
    *webhooks.routes,
    *audit.routes,
]
