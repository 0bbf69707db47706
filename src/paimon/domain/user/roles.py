"""Users of the system, the rights of their roles, and what a role on chain adds: the one table that decides who may do what.

A right may need two roles: one here, which signed grants give, and one on chain, which the contract gives. It then needs both.
A grant may also give a person one more right than the role has, or take one away; what is taken away stays away.

Source: docs/concepts/fund.md, "People and permissions". `make reference` writes docs/reference/permissions.md from this table.
"""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from paimon.domain.kernel.chain import Address, ContractName, OnChainRole


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
    EXECUTE_PLAN = "execute_plan"
    DECIDE_APPROVAL = "decide_approval"
    SIGN_PROPOSALS = "sign_proposals"
    HANDLE_TRANSACTIONS = "handle_transactions"
    ADMINISTER_FUND = "administer_fund"
    HANDLE_QUARANTINE = "handle_quarantine"
    MANAGE_POLICY = "manage_policy"
    HANDLE_EMERGENCY = "handle_emergency"
    MANAGE_USERS = "manage_users"
    READ_AUDIT = "read_audit"


@dataclass(frozen=True, slots=True, order=True)
class ChainRole:
    """A role of one of the fund's contracts."""

    contract: ContractName
    role: OnChainRole

    def __str__(self) -> str:
        return f"{self.role} on the {self.contract}"


@dataclass(frozen=True, slots=True)
class PermissionRule:
    """What a permission is for, the lowest role that has it, and what it needs besides."""

    meaning: str
    role: UserRole
    on_chain: ChainRole | None = None
    is_signed: bool = False
    """Whether each use takes a signature of the person's wallet, so that no program has the right in the person's place."""


_VIP_APPROVER: Final = ChainRole(ContractName.REDEMPTION_MANAGER, OnChainRole.VIP_APPROVER_ROLE)

PERMISSIONS: Final[Mapping[Permission, PermissionRule]] = {
    Permission.READ: PermissionRule("read the fund, redemptions, approvals, transactions, risk and users", UserRole.VIEWER),
    Permission.SETTLE: PermissionRule("settle a due redemption", UserRole.OPERATOR, is_signed=True),
    Permission.HANDLE_RISK: PermissionRule(
        "acknowledge risk events, resolve them with a signature, run stress tests, and try channels of notifications",
        UserRole.OPERATOR,
    ),
    Permission.REPLAY_MESSAGES: PermissionRule("replay dead-lettered messages", UserRole.OPERATOR, is_signed=True),
    Permission.EXECUTE_PLAN: PermissionRule("preview and submit plans", UserRole.OPERATOR, is_signed=True),
    Permission.DECIDE_APPROVAL: PermissionRule("vote on redemptions", UserRole.ADMIN, _VIP_APPROVER, is_signed=True),
    Permission.SIGN_PROPOSALS: PermissionRule(
        "submit owners' signatures of a Safe, reject plans, and propose a rejection", UserRole.ADMIN, is_signed=True
    ),
    Permission.HANDLE_TRANSACTIONS: PermissionRule(
        "speed up, cancel and retry transactions, clear a wallet's fault", UserRole.ADMIN, is_signed=True
    ),
    Permission.ADMINISTER_FUND: PermissionRule(
        "submit plans with other calls than a wallet's money functions, set profiles of assets, and confirm changed contracts",
        UserRole.ADMIN,
        is_signed=True,
    ),
    Permission.HANDLE_QUARANTINE: PermissionRule("release and skip quarantined logs", UserRole.ADMIN, is_signed=True),
    Permission.MANAGE_POLICY: PermissionRule(
        "draft the approval policy, and publish another person's draft", UserRole.ADMIN, is_signed=True
    ),
    Permission.HANDLE_EMERGENCY: PermissionRule(
        "stand an emergency down, decline its steps, and start drills", UserRole.ADMIN, is_signed=True
    ),
    Permission.READ_AUDIT: PermissionRule("read the audit trail and its proofs", UserRole.ADMIN),
    Permission.MANAGE_USERS: PermissionRule(
        "sign grants of users, end others' sessions, and erase personal data", UserRole.SUPER_ADMIN, is_signed=True
    ),
}
"""By permission, in the order of the documentation."""


@dataclass(frozen=True, slots=True)
class User:
    """A wallet with a role that may sign in, and the rights that a grant gave or took besides."""

    address: Address
    role: UserRole
    name: str
    granted: frozenset[Permission] = frozenset()
    denied: frozenset[Permission] = frozenset()

    @property
    def administers(self) -> bool:
        """Whether the person has any right that takes the role admin or above."""
        return any(rule.role.includes(UserRole.ADMIN) and self.may(name) for name, rule in PERMISSIONS.items())

    def may(self, permission: Permission) -> bool:
        """Return whether the person has the right as far as this system decides; the chain may ask for a role too."""
        return self.role_fault(permission) is None

    def role_fault(self, permission: Permission) -> str | None:
        """Return why the person lacks the right here, or None."""
        if permission in self.denied:
            return f"{permission} is denied to this person by a grant"
        needed = PERMISSIONS[permission].role
        if permission in self.granted or self.role.includes(needed):
            return None
        return f"this needs the role {needed} or above; the person is {self.role}"

    def faults(self, permission: Permission, held: Set[ChainRole]) -> Iterator[str]:
        """Yield each reason for which the person lacks the right now; `held` are the person's roles on chain."""
        if (fault := self.role_fault(permission)) is not None:
            yield fault
        needed = PERMISSIONS[permission].on_chain
        if needed is not None and needed not in held:
            yield f"this needs {needed}, which the person does not hold at the last recorded block"
