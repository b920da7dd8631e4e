"""Whom a network address is counted for."""

from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Final

_ONE_CUSTOMER: Final = 64


@lru_cache(maxsize=1024)
def network_of(address: str) -> str:
    """Return an IPv4 address as it is, and the /64 of an IPv6 address.

    Whoever has one IPv6 address has the 2**64 of its network (RFC 6177), so that limits by single
    addresses would limit nobody. What is no address is returned as it is.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(IPv6Network((int(found), _ONE_CUSTOMER), strict=False))
