"""Signed grants: who gave a user a role, as a chain that begins with the first super_admin.

A grant is an EIP-712 document that a super_admin signs. It names its place in the chain and the digest of the grant before it,
so that none can be left out, put elsewhere or played again. The first super_admin is named at set-up, by the owner of the
database, and signs the first grant. A grant that does not fit counts for nothing, and the chain goes on without it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from paimon.domain.kernel.chain import Address, Hash32, checksum
from paimon.domain.kernel.eip712 import DocumentType, SignatureTerms, SigningScope
from paimon.domain.user.roles import Permission, User, UserRole
from paimon.errors import Conflict, InvalidRequest

NO_ROLE: Final = "none"
"""The role in a document that removes a user."""

FIRST_PREVIOUS: Final = Hash32(bytes(32))

GRANT: Final = DocumentType(
    "UserGrant", {"user": "address", "role": "string", "name": "string", "sequence": "uint256", "previous": "bytes"}
)


GRANT_WITH_EXCEPTIONS: Final = DocumentType(
    "UserGrantWithExceptions", {**GRANT.fields, "granted": "string", "denied": "string"}
)
"""The document of a grant that gives a person other rights than their role has: names of permissions, with commas between."""


class InvalidExceptions(InvalidRequest):
    """The rights that a grant gives or takes besides its role contradict each other, or come with a role only."""

    field = "permissions"


class FirstSuperAdminFixed(Conflict):
    """The first super_admin's role comes from the set-up; no grant changes it."""


@dataclass(frozen=True, slots=True)
class Grant:
    """One change of a user's role and name. `role` is None for a removal; `previous` is the digest of the grant before.

    `granted` and `denied` are the rights that the person has or lacks in any role.
    """

    user: Address
    role: UserRole | None
    name: str
    sequence: int
    previous: Hash32
    terms: SignatureTerms
    granted: frozenset[Permission] = frozenset()
    denied: frozenset[Permission] = frozenset()

    def document(self, scope: SigningScope) -> dict[str, Any]:
        """Return the document to sign."""
        values = {
            "user": self.user,
            "role": self.role or NO_ROLE,
            "name": self.name,
            "sequence": self.sequence,
            "previous": self.previous,
        }
        if not self.granted | self.denied:
            return GRANT.build(values, self.terms, scope)
        exceptions = {"granted": ",".join(sorted(self.granted)), "denied": ",".join(sorted(self.denied))}
        return GRANT_WITH_EXCEPTIONS.build({**values, **exceptions}, self.terms, scope)

    @property
    def statement(self) -> str:
        """Return what the grant does, in words."""
        if self.role is None:
            return f"Remove {checksum(self.user)}"
        named = f" ({self.name})" if self.name else ""
        exceptions = (("with", self.granted), ("without", self.denied))
        words = [f"{word} {', '.join(sorted(names))}" for word, names in exceptions if names]
        return ", ".join([f"Let {checksum(self.user)}{named} sign in as {self.role}", *words])

    def made_user(self) -> User | None:
        """Return the user whom the grant makes, None for a removal."""
        return None if self.role is None else User(self.user, self.role, self.name, self.granted, self.denied)

    def exceptions_fault(self) -> str | None:
        """Return why the exceptions from the role do not count, or None."""
        if self.role is None and self.granted | self.denied:
            return "a removed person has no rights"
        if both := self.granted & self.denied:
            return f"granted and denied at once: {', '.join(sorted(both))}"
        if Permission.MANAGE_USERS in self.granted:
            return f"{Permission.MANAGE_USERS} comes with the role {UserRole.SUPER_ADMIN} only"
        return None


@dataclass(frozen=True, slots=True)
class SignedGrant:
    """A grant as it is stored, with its signer and signature."""

    id: int
    grant: Grant
    granted_by: Address
    signature: bytes


@dataclass(frozen=True, slots=True)
class RejectedGrant:
    """A stored grant that counts for nothing, and why."""

    id: int
    user: Address
    reason: str


Recover = Callable[[SignedGrant], tuple[Hash32, Address | None]]
"""Return a grant's digest and the wallet that signed it, or None for no valid signature."""


@dataclass(slots=True)
class GrantChain:
    """The users that the grants make, and where the next grant belongs."""

    first: User | None
    users: dict[Address, User] = field(init=False, default_factory=dict)
    sequence: int = field(init=False, default=0)
    head: Hash32 = field(init=False, default=FIRST_PREVIOUS)
    rejected: list[RejectedGrant] = field(init=False, default_factory=list)
    made: set[User] = field(init=False, default_factory=set)
    """Every user as the chain ever made them, also those who have another role since, or none."""

    def __post_init__(self) -> None:
        if self.first is not None:
            self._add(self.first)

    def extend(self, grants: Iterable[SignedGrant], recover: Recover) -> "GrantChain":
        """Apply stored grants in their order, leave out those that do not fit, and return the chain."""
        for signed in grants:
            digest, signer = recover(signed)
            if (reason := self._rejection_reason(signed, signer)) is not None:
                self.rejected.append(RejectedGrant(signed.id, signed.grant.user, reason))
                continue
            self._apply(signed.grant)
            self.sequence, self.head = signed.grant.sequence, digest
        return self

    def next_grant(
        self,
        user: Address,
        role: UserRole | None,
        name: str,
        terms: SignatureTerms,
        *,
        granted: frozenset[Permission] = frozenset(),
        denied: frozenset[Permission] = frozenset(),
    ) -> Grant:
        """Return the grant that continues the chain.

        Raises:
            FirstSuperAdminFixed, InvalidExceptions.
        """
        if self.first is not None and user == self.first.address:
            raise FirstSuperAdminFixed(
                f"{checksum(user)} is the first super_admin: `paimon users init --replace` names another, as the owner of the"
                " database"
            )
        grant = Grant(user, role, name, self.sequence + 1, self.head, terms, granted, denied)
        if (fault := grant.exceptions_fault()) is not None:
            raise InvalidExceptions(fault)
        return grant

    def _rejection_reason(self, signed: SignedGrant, signer: Address | None) -> str | None:
        grant, granter = signed.grant, self.users.get(signed.granted_by)
        if signer != signed.granted_by:
            return f"{checksum(signed.granted_by)} did not sign it"
        if granter is None or not granter.may(Permission.MANAGE_USERS):
            return f"{checksum(signed.granted_by)} was no super_admin"
        if (grant.sequence, grant.previous) != (self.sequence + 1, self.head):
            return f"it does not follow grant {self.sequence}"
        if self.first is not None and grant.user == self.first.address:
            return "it is about the first super_admin"
        return grant.exceptions_fault()

    def _apply(self, grant: Grant) -> None:
        if (user := grant.made_user()) is None:
            self.users.pop(grant.user, None)
        else:
            self._add(user)

    def _add(self, user: User) -> None:
        self.users[user.address] = user
        self.made.add(user)
