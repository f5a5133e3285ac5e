"""Network addresses: lists of them as settings name them, what counts as one visitor, and which
belong to the open internet."""

from __future__ import annotations

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


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


def network_of(address: str) -> str:
    """What counts as one visitor where visitors are counted by address: with IPv6 everybody has at
    least a /64, so 2^64 addresses. What is no address counts as it stands.
    """
    parsed = parsed_address(address)
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    if parsed is None:
        return address
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


_UNICAST = ipaddress.ip_network("2000::/3")
"""All IPv6 addresses that are routed on the internet (RFC 4291 §2.4, IANA)."""

_NOBODYS = tuple(
    map(
        ipaddress.ip_network,
        (
            "2001::/32",  # Teredo, which carries an IPv4 address
            "2002::/16",  # 6to4, which carries one too
            "3fff::/20",  # documentation (RFC 9637)
            "192.0.0.0/24",  # protocol assignments
            "192.88.99.0/24",  # once the relays of 6to4
        ),
    )
)
"""Networks that `ipaddress` calls global though nobody's web server is there."""


def parsed_address(text: str) -> Address | None:
    """The address in its one plain spelling, brackets round IPv6 allowed; None for a name."""
    try:
        return ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None


def is_public(address: Address) -> bool:
    """Whether the address belongs to the open internet."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address not in _UNICAST:  # so NAT64, link-local and the like are out too
            return False
    if any(address in network for network in _NOBODYS):
        return False
    return address.is_global and not address.is_multicast
