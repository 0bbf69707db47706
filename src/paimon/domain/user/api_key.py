"""API keys: what a program may do in the name of the person who made the key, which is never more than that person may.

A key has a list of rights, an expiry and, if wanted, a list of networks. What it may do is what is on its list and what its
maker may do at that moment. It never has a right whose use is signed: a program has no wallet.
"""

from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final
from uuid import UUID

from paimon.domain.kernel.chain import Address
from paimon.domain.user.roles import PERMISSIONS, Permission, User

KEY_PERMISSIONS: Final = tuple(permission for permission, rule in PERMISSIONS.items() if not rule.is_signed)
"""The rights that a key may have."""

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key. Its text is not known here: the database has its hash."""

    id: UUID
    address: Address
    name: str
    permissions: frozenset[Permission]
    networks: tuple[Network, ...]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None

    def fault(self, now: datetime, network_address: str) -> str | None:
        """Return why the key counts for nothing now, or from there; None if it counts."""
        if self.revoked_at is not None:
            return "the API key was revoked"
        if self.expires_at <= now:
            return f"the API key expired at {self.expires_at:%Y-%m-%dT%H:%M:%SZ}"
        if self.networks and not self._covers(network_address):
            return "the API key may not be used from this address"
        return None

    def _covers(self, network_address: str) -> bool:
        try:
            address = ip_address(network_address)
        except ValueError:
            return False
        return any(address in network for network in self.networks)

    def permission_fault(self, maker: User, permission: Permission) -> str | None:
        """Return why the key gives no such right now, or None. The maker's own roles on chain are checked besides."""
        if PERMISSIONS[permission].is_signed:
            return f"{permission} takes a signature of a wallet; an API key signs nothing"
        if permission not in self.permissions:
            return f"the API key does not have the right {permission}"
        return maker.role_fault(permission)
