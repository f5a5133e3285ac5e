"""The studio: a streamer's desk, one module for each of its pages.

frame.py is what they share: who may, the way round, forms that come back with a mistake.
"""

from __future__ import annotations

from mediaserver.routes.pages.studio import (
    alerts,
    chat,
    connect,
    desk,
    earnings,
    emotes,
    giving,
    health,
    making,
    overlays,
    schedule,
    settings,
    supporters,
    teams,
    transfers,
    webhooks,
)

UPLOADS = alerts.UPLOADS | emotes.UPLOADS | settings.UPLOADS
"""Routes that take more than a small body, and how many bytes."""

routes = [
    *making.routes,
    *desk.routes,
    *chat.routes,
    *emotes.routes,
    *health.routes,
    *schedule.routes,
    *teams.routes,
    *overlays.routes,
    *supporters.routes,
    *giving.routes,
    *alerts.routes,
    *webhooks.routes,
    *transfers.routes,
    *earnings.routes,
    *connect.routes,
    *settings.routes,
]
"""`/studio/new` comes before `/studio/{slug}`."""
