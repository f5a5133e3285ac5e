"""The admin desk, one module for each of its pages. frame.py is what they share."""

from __future__ import annotations

from mediaserver.routes.pages.admin import backups, overview, policies, users, webhooks

UPLOADS = policies.UPLOADS
"""Routes that take more than a small body, and how many bytes."""

routes = [
    *overview.routes,
    *users.routes,
    *policies.routes,
    *backups.routes,
    *webhooks.routes,
]
