"""Policies and their acceptance, verification of streamers with documents, teams."""

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    pass
