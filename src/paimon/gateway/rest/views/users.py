"""JSON shapes of users and their rights."""

from collections.abc import Iterable, Set
from typing import Annotated, Self

from pydantic import Field, StringConstraints

from paimon.application.identity.rights import ListedUser, Right, UserDetail, UserRights
from paimon.application.identity.store import GrantRecord
from paimon.application.identity.submit_grant import SubmitGrant, UserChange
from paimon.domain.kernel.chain import Address, ContractName, OnChainRole
from paimon.domain.user.roles import PERMISSIONS, ChainRole, Permission, User, UserRole
from paimon.gateway.rest.schema import AddressText, ApiModel, Time
from paimon.gateway.rest.validation_messages import ONE_LINE
from paimon.gateway.rest.views.signed_action import SignedBody


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


class ListedUserView(UserRightsView):
    """A user of the list."""

    is_first: bool = Field(description="the first super_admin, whom no grant changes: the owner of the tables names another")

    @classmethod
    def of_listed(cls, listed: ListedUser) -> Self:
        return cls(**_fields(listed.rights), is_first=listed.is_first)


class UsersView(ApiModel):
    """Every user who may sign in, oldest first."""

    items: list[ListedUserView]

    @classmethod
    def of(cls, users: Iterable[ListedUser]) -> Self:
        return cls(items=[ListedUserView.of_listed(user) for user in users])


class UserChangeBody(ApiModel):
    """What shall become of a user. The role `null` removes them, with no name and no rights."""

    address: AddressText
    role: UserRole | None = Field(description="what the user may do; null removes the user")
    name: Annotated[str, StringConstraints(max_length=100, pattern=ONE_LINE)] = Field("", description="the name to show")
    granted: frozenset[Permission] = Field(frozenset(), description="rights besides those of the role")
    denied: frozenset[Permission] = Field(frozenset(), description="rights that the user lacks in any role")

    @property
    def change(self) -> UserChange:
        return UserChange(Address(self.address), self.role, self.name, self.granted, self.denied)


class SignedUserChangeBody(UserChangeBody, SignedBody):
    """A change of a user with the signature over its grant: the same fields as in the preview, and the signed terms."""

    def command_of(self, user: User) -> SubmitGrant:
        return SubmitGrant(self.change, user.address, self.signed)


class ChangedUserView(ApiModel):
    """The user after the change. `user` is null for a removed one."""

    address: AddressText
    user: UserRightsView | None
