"""Stand-ins: for a time, a person signs in another's place, and the two count as one approver.

A stand-in gets the person's rights to decide approvals, as long as the person has them, and no other right. A role on chain is
not lent: the contract knows no stand-ins, so a stand-in for a voter on redemptions holds that role too.

On every ticket the two are one. One vote of theirs counts, and what one asked for, owns or receives, the other never approves.
So a person has one stand-in at a time, a stand-in one person, and no one is both. That holds after their time too: a vote stays
that of the two who were one as it was given, and a party of a ticket is a party for all who were one with them since it was
opened. A rejection is never refused to one who may give it without being a stand-in: otherwise a person would silence a voter
by naming them.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from paimon.domain.approval.plan_ticket import AnyTicket, PlanTicket
from paimon.domain.approval.policy import Approver
from paimon.domain.approval.ticket import AlreadyVoted, Verdict, VoterNotAllowed
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.kernel.signed_action import ActionContent, ActionName, effect_hash
from paimon.domain.user.roles import Permission, User, UserRole
from paimon.errors import Conflict, InvalidRequest

STAND_IN_DAYS_MAX: Final = 90
START_BEFORE_NOW_MAX: Final = timedelta(hours=1)
"""How long a start may be past: from the preview of a stand-in that starts at once until its signature arrives."""
LENT_PERMISSIONS: Final = frozenset({Permission.DECIDE_APPROVAL, Permission.SIGN_PROPOSALS})
_ROLE_MIN: Final = UserRole.OPERATOR
_RANKS: Final = tuple(UserRole)


class InvalidStandIn(InvalidRequest):
    """This person, or this time, is not possible for a stand-in."""


class StandInTaken(Conflict):
    """One of the two is in another pair at that time."""


@dataclass(frozen=True, slots=True)
class Period:
    """From `starts_at` up to, and without, `ends_at`."""

    starts_at: datetime
    ends_at: datetime

    def __contains__(self, time: datetime) -> bool:
        return self.starts_at <= time < self.ends_at

    def overlaps(self, other: "Period") -> bool:
        return self.starts_at < other.ends_at and other.starts_at < self.ends_at

    def __str__(self) -> str:
        return f"{self.starts_at:%Y-%m-%dT%H:%M:%SZ} to {self.ends_at:%Y-%m-%dT%H:%M:%SZ}"


@dataclass(frozen=True, slots=True)
class Pair:
    """A person and their stand-in, for a period."""

    person: Address
    stand_in: Address
    period: Period

    @property
    def people(self) -> frozenset[Address]:
        return frozenset({self.person, self.stand_in})

    def content(self) -> ActionContent:
        """Return what the person signs to name the stand-in."""
        person, stand_in = checksum(self.person), checksum(self.stand_in)
        return ActionContent(
            ActionName.NAME_STAND_IN,
            f"/stand-ins/{stand_in}",
            f"{stand_in} decides approvals in my place, {self.period}",
            effect_hash(person, stand_in, self.period.starts_at.isoformat(), self.period.ends_at.isoformat()),
        )


@dataclass(frozen=True, slots=True)
class StandIn:
    """A recorded pair. `ended_at` is set when one of the two, or a super_admin, ended it before its time."""

    id: int
    pair: Pair
    reason: str
    ended_at: datetime | None = None
    ended_by: Address | None = None

    def is_in_force(self, at: datetime) -> bool:
        return at in self.pair.period and (self.ended_at is None or at < self.ended_at)

    def was_in_force(self, since: datetime, until: datetime) -> bool:
        """Whether it was in force at some time from `since` to `until`."""
        ends_at = self.pair.period.ends_at if self.ended_at is None else min(self.pair.period.ends_at, self.ended_at)
        starts_at = self.pair.period.starts_at
        return starts_at < ends_at and starts_at <= until and since < ends_at

    def is_over(self, now: datetime) -> bool:
        return self.ended_at is not None or self.pair.period.ends_at <= now


def require_possible(pair: Pair, person: User, stand_in: User | None, others: Iterable[Pair], *, now: datetime) -> None:
    """Refuse a pair that could not be. `others` are those of before that are not over.

    Raises:
        InvalidStandIn, StandInTaken.
    """
    period, longest = pair.period, timedelta(days=STAND_IN_DAYS_MAX)
    if pair.person == pair.stand_in:
        raise InvalidStandIn("a person does not stand in for themselves: name another user")
    if not any(person.may(permission) for permission in LENT_PERMISSIONS):
        raise InvalidStandIn("only a person who decides approvals has a stand-in")
    if stand_in is None or not stand_in.role.includes(_ROLE_MIN):
        raise InvalidStandIn(f"{checksum(pair.stand_in)} is no user of the role {_ROLE_MIN} or above")
    if not period.starts_at < period.ends_at or period.ends_at <= now:
        raise InvalidStandIn("the time must end after it starts, and in the future")
    if period.starts_at < now - START_BEFORE_NOW_MAX:
        raise InvalidStandIn(f"the time starts at {period.starts_at:%Y-%m-%dT%H:%M:%SZ}, which is past: let it start now")
    if period.ends_at - period.starts_at > longest:
        raise InvalidStandIn(f"a stand-in is named for {STAND_IN_DAYS_MAX} days at most")
    for other in others:
        if pair.people & other.people and other.period.overlaps(period):
            raise StandInTaken(f"{checksum(other.stand_in)} stands in for {checksum(other.person)}, {other.period}")


class Pairs:
    """The pairs that were in force at some time from one time to another, among them those in force at its end.

    Those in force at one time have no one in common.
    """

    def __init__(self, known: Iterable[StandIn] = (), *, since: datetime, now: datetime) -> None:
        self._known = tuple(stand_in for stand_in in known if stand_in.was_in_force(since, now))
        pairs = [stand_in.pair for stand_in in self._known if stand_in.is_in_force(now)]
        self._persons: Mapping[Address, Address] = {pair.stand_in: pair.person for pair in pairs}
        self._stand_ins: Mapping[Address, Address] = {pair.person: pair.stand_in for pair in pairs}

    def person_of(self, stand_in: Address) -> Address | None:
        """Return in whose place this one decides."""
        return self._persons.get(stand_in)

    def partner_of(self, address: Address) -> Address | None:
        """Return the other one of the pair."""
        return self._persons.get(address) or self._stand_ins.get(address)

    def partners_since(self, address: Address) -> frozenset[Address]:
        """Return those that the address was one with at any of the times."""
        pairs = (stand_in.pair for stand_in in self._known)
        return frozenset().union(*(pair.people - {address} for pair in pairs if address in pair.people))

    def sharing(self, address: Address, at: datetime | None = None) -> frozenset[Address]:
        """Return the address with those that it is one with now, or was at that time."""
        now = {partner} if (partner := self.partner_of(address)) is not None else set()
        then = () if at is None else (known.pair for known in self._known if known.is_in_force(at))
        return frozenset({address, *now}).union(*(pair.people for pair in then if address in pair.people))

    def places(self, signers: Iterable[Address], *, without: Address) -> dict[Address, list[Address]]:
        """Return the signers by the person in whose place they signed. Who asked for it has no place, nor had any partner."""
        excluded = {without, *self.partners_since(without)}
        places: dict[Address, list[Address]] = {}
        for signer in signers:
            if signer not in excluded:
                places.setdefault(self._persons.get(signer, signer), []).append(signer)
        return places

    def without_shared(
        self, places: Mapping[Address, Collection[Address]], signed_at: Mapping[Address, datetime]
    ) -> list[Address]:
        """Return the places that count: of those that were one when someone signed, the first."""
        counting: list[Address] = []
        taken: set[Address] = set()
        for place, signers in places.items():
            people = {each for signer in signers for each in self.sharing(signer, signed_at.get(signer))}
            if taken.isdisjoint(people):
                counting.append(place)
                taken |= people
        return counting

    def require_one_vote(self, ticket: AnyTicket, voter: Address, verdict: Verdict, *, has_own_right: bool) -> None:
        """Refuse the vote of one whose place has voted, or whose partner is a party. A requester's cancellation is no vote.

        `has_own_right`: the voter may decide without what a person lends. Such a voter may always reject.

        Raises:
            AlreadyVoted, VoterNotAllowed.
        """
        if verdict is Verdict.CANCEL or (verdict is Verdict.REJECT and has_own_right):
            return
        self.require_no_party(ticket, voter)
        own = self.sharing(voter)
        for vote in ticket.votes:
            if vote.voter != voter and own & self.sharing(vote.voter, vote.decided_at):
                raise AlreadyVoted(f"{checksum(vote.voter)}, whose place this wallet shares, has voted on ticket {ticket.id}")

    def require_no_party(self, ticket: AnyTicket, voter: Address) -> None:
        """Refuse one whose partner, now or since the ticket was opened, is a party of it. Raises VoterNotAllowed.

        A party asked for what the ticket decides, or owns or receives it.
        """
        parties = (ticket.requested_by,) if isinstance(ticket, PlanTicket) else (ticket.owner, ticket.receiver)
        for partner in sorted(self.partners_since(voter).intersection(parties)):
            raise VoterNotAllowed(f"{checksum(partner)}, whose place this wallet shares, is a party of ticket {ticket.id}")


def lend(user: User, person: User | None) -> User:
    """Return the stand-in with the person's rights to decide approvals. What a grant denies the stand-in stays denied."""
    if person is None or not user.role.includes(_ROLE_MIN):
        return user
    lent = frozenset(permission for permission in LENT_PERMISSIONS if person.may(permission))
    return replace(user, granted=user.granted | lent)


def approver_of(
    place: Address, signers: Collection[Address], users: Mapping[Address, User], holders: Collection[Address]
) -> Approver | None:
    """Return what a place approves as; None where no signer of it may. `holders` have the role of a voter on chain.

    A stand-in signs with the person's role; each of the two also counts where the policy names them.
    """
    person = users.get(place)
    able = [lend(users[signer], None if signer == place else person) for signer in signers if signer in users]
    able = [user for user in able if user.may(Permission.SIGN_PROPOSALS)]
    if not able:
        return None
    lenders = [person] if person is not None and person.may(Permission.SIGN_PROPOSALS) else []
    return Approver(
        place,
        max((user.role for user in (*able, *lenders)), key=_RANKS.index),
        holds_vip_role=any(user.address in holders for user in able),
        also=frozenset(user.address for user in able),
    )
