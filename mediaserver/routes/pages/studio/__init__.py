"""The studio: a streamer's desk, one module for each of its pages.

frame.py is what they share: who may, the way round, forms that come back with a mistake.
"""

from __future__ import annotations

from mediaserver.routes.pages.studio import connect, desk, making, schedule, settings

routes = [
    *making.routes,
    *desk.routes,
    *schedule.routes,
    *connect.routes,
    *settings.routes,
]
"""`/studio/new` comes before `/studio/{slug}`."""
