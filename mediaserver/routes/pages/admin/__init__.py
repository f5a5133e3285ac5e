"""The admin desk, one module for each of its pages. frame.py is what they share."""

from __future__ import annotations

from mediaserver.routes.pages.admin import (
    audit,
    categories,
    emotes,
    jobs,
    live,
    mail,
    overview,
    settings,
    statistics,
    storage,
    users,
)

UPLOADS = emotes.UPLOADS
"""Routes that take more than a small body, and how many bytes."""

routes = [
    *overview.routes,
    *users.routes,
    *live.routes,
    *categories.routes,
    *emotes.routes,
    *settings.routes,
    *mail.routes,
    *jobs.routes,
    *storage.routes,
    *statistics.routes,
    *audit.routes,
]
