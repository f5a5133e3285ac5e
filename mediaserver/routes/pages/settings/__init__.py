"""One's own account, one module for each of its pages. frame.py is what they share."""

from __future__ import annotations

from mediaserver.routes.pages.settings import (
    data,
    notifications,
    profile,
    security,
    streamer,
    tokens,
)

UPLOADS = profile.UPLOADS | streamer.UPLOADS
"""Routes that take more than a small body, and how many bytes."""

routes = [
    *profile.routes,
    *streamer.routes,
    *security.routes,
    *notifications.routes,
    *tokens.routes,
    *data.routes,
]
