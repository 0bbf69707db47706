"""Signer readiness: whether enough people can sign now, for each Safe and for each group of voters of the policy.

    READY     enough signers may sign, and were seen lately
    AWAY      enough may sign, but too few of them were seen lately
    SHORT     fewer may sign than are needed: nothing that needs this group can be approved

Who may sign is exact. Who is there is a guess from the last use of a session: it says whom to call, and decides nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from paimon.domain.approval.policy import ApprovalPolicy, Approver, ApproverGroup, ApproverRole
from paimon.domain.approval.stand_in import Pairs, lend
from paimon.domain.kernel.chain import Address
from paimon.domain.user.roles import ChainRole, Permission, User


class Readiness(StrEnum):
    """Whether enough of a group can sign now."""

    READY = "READY"
    AWAY = "AWAY"
    SHORT = "SHORT"


class SignerGroupKind(StrEnum):
    """What a group signs: transactions of a Safe, or votes on tickets."""

    SAFE = "SAFE"
    VOTERS = "VOTERS"


@dataclass(frozen=True, slots=True)
class Signer:
    """Someone who may sign, or could if the faults were not there. `seen_at` is the last use of a session of theirs."""

    address: Address
    user: User | None
    faults: tuple[str, ...] = ()
    seen_at: datetime | None = None
    place: Address | None = None
    """The person for whom this one stands in; of the two one counts."""


@dataclass(frozen=True, slots=True)
class SignerGroup:
    """The people of whom `needed` sign. `name` is the Safe's, or the group in words; `rules` of the policy ask for it."""

    kind: SignerGroupKind
    name: str
    needed: int
    signers: tuple[Signer, ...]
    rules: tuple[str, ...] = ()

    def able(self) -> list[Signer]:
        """Return those who may sign."""
        return [signer for signer in self.signers if not signer.faults]

    def present(self, now: datetime, *, within: timedelta) -> list[Signer]:
        """Return those who may sign and were seen within this time."""
        return [signer for signer in self.able() if signer.seen_at is not None and now - within <= signer.seen_at]

    def readiness(self, now: datetime, *, within: timedelta) -> Readiness:
        if count_places(self.able()) < self.needed:
            return Readiness.SHORT
        return Readiness.READY if count_places(self.present(now, within=within)) >= self.needed else Readiness.AWAY


def count_places(signers: Iterable[Signer]) -> int:
    """Count the signers, a person and their stand-in as one."""
    return len({signer.place or signer.address for signer in signers})


@dataclass(frozen=True, slots=True)
class People:
    """The users with their roles on chain, when each was last seen, and who stands in for whom."""

    users: Mapping[Address, User]
    held: Mapping[Address, AbstractSet[ChainRole]]
    seen: Mapping[Address, datetime]
    pairs: Pairs

    def person_of(self, user: User) -> User | None:
        """Return the user for whom this one stands in."""
        person = self.pairs.person_of(user.address)
        return None if person is None else self.users.get(person)


def safe_group(name: str, owners: Sequence[Address], threshold: int, people: People) -> SignerGroup:
    """Return the owners of a Safe. The chain says who owns it, so an owner who is no user signs too, at another screen."""
    signers = tuple(Signer(owner, people.users.get(owner), (), people.seen.get(owner)) for owner in owners)
    return SignerGroup(SignerGroupKind.SAFE, name, threshold, signers)


def voter_groups(policy: ApprovalPolicy, people: People) -> list[SignerGroup]:
    """Return the groups of the policy's rules, each once, with everyone who is of the group but for a role on chain."""
    rules: dict[ApproverGroup, list[str]] = {}
    for rule in policy.rules:
        for group in _groups(rule.approvals.options if rule.approvals else ()):
            rules.setdefault(group, []).append(rule.name)
    return [
        SignerGroup(SignerGroupKind.VOTERS, str(group), group.count, tuple(_voters(group, people)), tuple(names))
        for group, names in rules.items()
    ]


def _groups(options: Iterable[Iterable[ApproverGroup]]) -> dict[ApproverGroup, None]:
    return dict.fromkeys(group for option in options for group in option)


def _voters(group: ApproverGroup, people: People) -> Iterable[Signer]:
    for address in group.people - people.users.keys():
        yield Signer(address, None, ("this person is no user",))
    for user in people.users.values():
        person = people.person_of(user)
        acting = lend(user, person)
        places = [user] if person is None else [user, person]
        if any(group.admits(Approver(place.address, place.role, holds_vip_role=True)) for place in places):
            held = people.held.get(user.address, frozenset())
            on_chain = group.role in (ApproverRole.VIP_APPROVER, None)
            faults = tuple(acting.faults(Permission.DECIDE_APPROVAL, held)) if on_chain else _role_faults(acting)
            yield Signer(user.address, user, faults, people.seen.get(user.address), person.address if person else None)


def _role_faults(user: User) -> tuple[str, ...]:
    """Explain what keeps an administrator from signing the Safe transaction of a plan, which is the vote on its ticket."""
    fault = user.role_fault(Permission.SIGN_PROPOSALS)
    return () if fault is None else (fault,)
