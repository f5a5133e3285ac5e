"""The admin desk, one module for each of its pages. frame.py is what they share."""

from __future__ import annotations

from mediaserver.routes.pages.admin import (
    audit,
    jobs,
    live,
    mail,
    overview,
    settings,
    statistics,
    storage,
    users,
)

routes = [
    *overview.routes,
    *users.routes,
    *live.routes,
    *settings.routes,
    *mail.routes,
    *jobs.routes,
    *storage.routes,
    *statistics.routes,
    *audit.routes,
]
