"""The real server on free ports of loopback, with real publishers and clients."""
