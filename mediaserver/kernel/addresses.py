"""Network addresses as settings name them: single ones and networks."""

from __future__ import annotations

import ipaddress


class AddressList:
    """Addresses and networks from the settings."""

    def __init__(self, networks: tuple[str, ...]) -> None:
        """Raises `ValueError` for what is neither an address nor a network."""
        self._networks = [
            ipaddress.ip_network(network.strip(), strict=False) for network in networks
        ]

    def __bool__(self) -> bool:
        return bool(self._networks)

    def __contains__(self, address: str | None) -> bool:
        try:
            parsed = ipaddress.ip_address((address or "").partition("%")[0])
        except ValueError:
            return False
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        return any(parsed in network for network in self._networks)
