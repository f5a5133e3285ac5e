"""Outgoing webhooks: addresses that are told what happens here."""
