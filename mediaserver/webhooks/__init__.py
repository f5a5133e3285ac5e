"""Outgoing webhooks: what happens here, told to other sites that somebody has named."""
