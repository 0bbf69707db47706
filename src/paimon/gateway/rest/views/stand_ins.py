"""JSON shapes of stand-ins."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import AfterValidator, AwareDatetime, Field

from paimon.domain.approval.stand_in import Pair, Period, StandIn
from paimon.domain.kernel.chain import Address
from paimon.domain.user.roles import User
from paimon.gateway.rest.schema import AddressText, ApiModel, Time
from paimon.gateway.rest.views.signed_action import Reason, SignedBody

_Second = Annotated[AwareDatetime, AfterValidator(lambda time: time.astimezone(UTC).replace(microsecond=0))]


class StandInBody(ApiModel):
    """Who is to decide approvals in the caller's place, and when. Times are to the second."""

    stand_in: AddressText = Field(description="a user of the role operator or above")
    starts_at: _Second
    ends_at: _Second = Field(description="90 days after the start at most")
    reason: Reason = Field(min_length=1, description="why, for later readers; it is signed")

    def pair_of(self, person: User) -> Pair:
        return Pair(person.address, Address(self.stand_in), Period(self.starts_at, self.ends_at))


class SignedStandInBody(StandInBody, SignedBody):
    """The same, with the signature over the document of the preview."""


class StandInView(ApiModel):
    """A stand-in: who decides approvals in whose place, and when."""

    id: int
    person: AddressText
    stand_in: AddressText
    starts_at: Time
    ends_at: Time
    is_in_force: bool
    is_over: bool
    reason: str
    ended_at: Time | None = Field(description="when it was ended before its time")
    ended_by: AddressText | None

    @classmethod
    def of(cls, found: StandIn, now: datetime) -> Self:
        return cls(
            id=found.id,
            person=found.pair.person,
            stand_in=found.pair.stand_in,
            starts_at=found.pair.period.starts_at,
            ends_at=found.pair.period.ends_at,
            is_in_force=found.is_in_force(now),
            is_over=found.is_over(now),
            reason=found.reason,
            ended_at=found.ended_at,
            ended_by=found.ended_by,
        )


class StandInsView(ApiModel):
    """The newest 200 stand-ins, latest first, those that are over too."""

    items: list[StandInView]

    @classmethod
    def of(cls, found: Iterable[StandIn], now: datetime) -> Self:
        return cls(items=[StandInView.of(stand_in, now) for stand_in in found])
