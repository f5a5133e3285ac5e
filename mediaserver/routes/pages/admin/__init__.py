"""The admin desk, one module for each of its pages. frame.py is what they share."""

from __future__ import annotations

from mediaserver.routes.pages.admin import overview, webhooks

routes = [*overview.routes, *webhooks.routes]
