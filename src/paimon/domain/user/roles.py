"""Users of the system and the permissions of their off-chain roles.

Source: docs/concepts/fund.md, "People and permissions".
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from paimon.domain.kernel.chain import Address


class UserRole(StrEnum):
    """Off-chain role of a user; each includes those before it: super_admin ⊃ admin ⊃ operator ⊃ viewer."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"
    SUPER_ADMIN = "super_admin"

    def includes(self, other: "UserRole") -> bool:
        ranks = tuple(UserRole)
        return ranks.index(self) >= ranks.index(other)


class Permission(StrEnum):
    """One thing that a role may permit."""

    READ = "read"
    SETTLE = "settle"
    HANDLE_RISK = "handle_risk"
    REPLAY_MESSAGES = "replay_messages"
    DECIDE_APPROVAL = "decide_approval"
    HANDLE_TRANSACTIONS = "handle_transactions"
    EXECUTE_PLAN = "execute_plan"
    ADMINISTER_FUND = "administer_fund"
    HANDLE_QUARANTINE = "handle_quarantine"
    MANAGE_USERS = "manage_users"


REQUIRED_ROLE: Final[dict[Permission, UserRole]] = {
    Permission.READ: UserRole.VIEWER,
    Permission.SETTLE: UserRole.OPERATOR,
    Permission.HANDLE_RISK: UserRole.OPERATOR,
    Permission.REPLAY_MESSAGES: UserRole.OPERATOR,
    Permission.DECIDE_APPROVAL: UserRole.ADMIN,
    Permission.HANDLE_TRANSACTIONS: UserRole.ADMIN,
    Permission.EXECUTE_PLAN: UserRole.OPERATOR,
    Permission.ADMINISTER_FUND: UserRole.ADMIN,
    Permission.HANDLE_QUARANTINE: UserRole.ADMIN,
    Permission.MANAGE_USERS: UserRole.SUPER_ADMIN,
}


@dataclass(frozen=True, slots=True)
class User:
    """A wallet with a role that may sign in."""

    address: Address
    role: UserRole
    name: str

    def may(self, permission: Permission) -> bool:
        return self.role.includes(REQUIRED_ROLE[permission])
