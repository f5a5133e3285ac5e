"""The admin desk, one module for each of its pages. frame.py is what they share."""

from __future__ import annotations

from mediaserver.routes.pages.admin import (
    appeals,
    audit,
    backups,
    books,
    books_changes,
    categories,
    checkup,
    disputes,
    emotes,
    jobs,
    live,
    mail,
    overview,
    payments,
    payouts,
    plans,
    policies,
    refunds,
    reports,
    sanctions,
    settings,
    statistics,
    storage,
    users,
    verification,
    webhooks,
)

UPLOADS = policies.UPLOADS | emotes.UPLOADS
"""Routes that take more than a small body, and how many bytes."""

routes = [
    *overview.routes,
    *users.routes,
    *verification.routes,
    *reports.routes,
    *appeals.routes,
    *sanctions.routes,
    *live.routes,
    *categories.routes,
    *emotes.routes,
    *policies.routes,
    *plans.routes,
    *settings.routes,
    *mail.routes,
    *jobs.routes,
    *storage.routes,
    *backups.routes,
    *checkup.routes,
    *webhooks.routes,
    *payments.routes,
    *books.routes,
    *books_changes.routes,
    *payouts.routes,
    *refunds.routes,
    *disputes.routes,
    *statistics.routes,
    *audit.routes,
]
