"""Lists of addresses and networks from the settings; what counts as one visitor."""

from __future__ import annotations

import pytest

from mediaserver.kernel.addresses import AddressList, network_of


def test_membership() -> None:
    allowed = AddressList(("127.0.0.0/8", "10.1.2.3", "::1/128", "fd00::/8"))
    for address in ("127.0.0.1", "127.9.9.9", "10.1.2.3", "::1", "fd00::5", "::ffff:127.0.0.1"):
        assert address in allowed
    for other in ("128.0.0.1", "10.1.2.4", "::2", "fe80::1%eth0", "", None, "localhost", "a,b"):
        assert other not in allowed


def test_nonsense_is_an_error() -> None:
    with pytest.raises(ValueError):
        AddressList(("everyone",))


def test_what_counts_as_one_visitor() -> None:
    assert network_of("2001:db8:1:2::5") == network_of("2001:db8:1:2:ffff::9%eth0")
    assert network_of("2001:db8:1:2::5") != network_of("2001:db8:1:3::5")
    assert network_of("1.2.3.4") == network_of("::ffff:1.2.3.4") == "1.2.3.4"
    assert network_of("1.2.3.4") != network_of("1.2.3.5")
    assert [network_of(other) for other in ("", "unix")] == ["", "unix"]
