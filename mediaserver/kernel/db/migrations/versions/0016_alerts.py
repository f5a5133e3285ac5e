"""Alerts, goals and what is shown of contributions."""

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Nothing yet."""
