"""Memberships: plans, and who pays for one from their wallet."""
