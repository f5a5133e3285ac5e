"""The admin desk, one module for each of its pages. frame.py is what they share."""

from __future__ import annotations

from mediaserver.routes.pages.admin import backups, checkup, overview

routes = [*overview.routes, *backups.routes, *checkup.routes]
