"""Notifications of gateways, refunds that are asked of them, and the sandbox."""

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Nothing yet."""
