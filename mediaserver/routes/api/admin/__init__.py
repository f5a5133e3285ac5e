"""The admin desk over the API, one module for each of its pages. operation.py lets nobody but
admins in.
"""

from __future__ import annotations

from mediaserver.routes.api.admin import (
    audit,
    books,
    books_changes,
    categories,
    jobs,
    live,
    overview,
    payments,
    plans,
    settings,
    statistics,
    users,
)
from mediaserver.routes.api.operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    *overview.api.all,
    *users.api.all,
    *live.api.all,
    *categories.api.all,
    *plans.api.all,
    *settings.api.all,
    *jobs.api.all,
    *statistics.api.all,
    *audit.api.all,
    *payments.api.all,
    *books.api.all,
    *books_changes.api.all,
)
"""In the order in which they are documented."""
