"""JSON shapes of users and their rights."""

from collections.abc import Iterable, Set
from typing import Self

from pydantic import Field

from paimon.application.identity.rights import Right, UserDetail, UserRights
from paimon.application.identity.store import GrantRecord
from paimon.domain.kernel.chain import ContractName, OnChainRole
from paimon.domain.user.roles import PERMISSIONS, ChainRole, Permission, UserRole
from paimon.gateway.rest.schema import AddressText, ApiModel, Time


class ChainRoleView(ApiModel):
    contract: ContractName
    role: OnChainRole

    @classmethod
    def of(cls, role: ChainRole) -> Self:
        return cls(contract=role.contract, role=role.role)


class RightView(ApiModel):
    """One thing that the person may do, or may not."""

    permission: Permission
    meaning: str
    is_allowed: bool
    is_signed: bool = Field(description="whether each use takes a signature of the wallet")
    missing: list[str] = Field(description="each reason for which it is not allowed; empty if it is")

    @classmethod
    def of(cls, right: Right) -> Self:
        rule = PERMISSIONS[right.permission]
        return cls(
            permission=right.permission,
            meaning=rule.meaning,
            is_allowed=not right.faults,
            is_signed=rule.is_signed,
            missing=list(right.faults),
        )


class UserRightsView(ApiModel):
    """A user with their roles here and on chain."""

    address: AddressText
    role: UserRole
    name: str
    granted: list[Permission] = Field(description="rights that a grant gave besides the role's")
    denied: list[Permission] = Field(description="rights that a grant took, in any role")
    chain_roles: list[ChainRoleView] = Field(description="held at the last recorded block, which is final")

    @classmethod
    def of(cls, found: UserRights) -> Self:
        return cls(**_fields(found))


def _fields(found: UserRights) -> dict[str, object]:
    user = found.user
    return {
        "address": user.address,
        "role": user.role,
        "name": user.name,
        "granted": sorted(user.granted),
        "denied": sorted(user.denied),
        "chain_roles": _chain_roles(found.held),
    }


def _chain_roles(held: Set[ChainRole]) -> list[ChainRoleView]:
    return [ChainRoleView.of(role) for role in sorted(held)]


class OwnRightsView(UserRightsView):
    """The signed-in person, and what they may do now."""

    rights: list[RightView]

    @classmethod
    def of(cls, found: UserRights) -> Self:
        return cls(**_fields(found), rights=[RightView.of(right) for right in found.rights()])


class GrantView(ApiModel):
    """One signed change of a user. `role` is null for a removal."""

    role: UserRole | None
    name: str
    granted: list[Permission]
    denied: list[Permission]
    granted_by: AddressText
    granted_at: Time

    @classmethod
    def of(cls, grant: GrantRecord) -> Self:
        return cls(
            role=grant.role,
            name=grant.name,
            granted=sorted(grant.granted),
            denied=sorted(grant.denied),
            granted_by=grant.granted_by,
            granted_at=grant.granted_at,
        )


class UserDetailView(OwnRightsView):
    """A user, what they may do now, and the grants that made them, latest first. The first super_admin has none."""

    grants: list[GrantView]

    @classmethod
    def of_detail(cls, detail: UserDetail) -> Self:
        rights = [RightView.of(right) for right in detail.rights.rights()]
        return cls(**_fields(detail.rights), rights=rights, grants=[GrantView.of(grant) for grant in detail.grants])


class UsersView(ApiModel):
    """Every user who may sign in, oldest first."""

    items: list[UserRightsView]

    @classmethod
    def of(cls, users: Iterable[UserRights]) -> Self:
        return cls(items=[UserRightsView.of(user) for user in users])
