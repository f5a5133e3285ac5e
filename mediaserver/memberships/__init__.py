"""Memberships: plans that the admin sells, paid from the wallet, which make people premium."""
