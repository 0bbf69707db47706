"""Hosts of channels: only public addresses, unless the channel's settings allow a private network.

A mistyped or moved host name must not turn this system into a caller of the network that it stands in. The address that is
connected to is the one that was checked, so a name cannot change in between.
"""

import ipaddress
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver


class PrivateHost(OSError):
    """The host has an address of a private network, and the channel does not allow one."""


def is_public(address: str) -> bool:
    """Return whether the address is one of the public internet."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return (mapped or parsed).is_global and not (mapped or parsed).is_multicast


def require_public_literal(url: str) -> None:
    """Refuse a URL whose host is an address of a private network; a name is checked when it is resolved.

    Raises:
        PrivateHost.
    """
    host = urlsplit(url).hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return
    if not is_public(host):
        raise PrivateHost("its host is an address of a private network: set allow_private for the channel if it should be")


class PublicResolver(AbstractResolver):
    """Resolves names, and refuses those with any private address."""

    def __init__(self) -> None:
        self._resolver = ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        found: Sequence[ResolveResult] = await self._resolver.resolve(host, port, family)
        if not all(is_public(result["host"]) for result in found):
            raise PrivateHost("its host has an address of a private network: set allow_private for the channel if it should")
        return list(found)

    async def close(self) -> None:
        await self._resolver.close()
