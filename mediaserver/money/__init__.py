"""Money: the ledger and everything that posts to it."""
