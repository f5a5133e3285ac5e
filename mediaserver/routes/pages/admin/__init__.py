"""The admin desk, one module for each of its pages. frame.py is what they share."""

from __future__ import annotations

from mediaserver.routes.pages.admin import appeals, overview, reports, sanctions

routes = [*overview.routes, *appeals.routes, *reports.routes, *sanctions.routes]
