"""JSON shapes of signer readiness."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Self

from pydantic import Field

from paimon.domain.approval.readiness import Readiness, Signer, SignerGroup, SignerGroupKind, count_places
from paimon.domain.user.roles import UserRole
from paimon.gateway.rest.schema import AddressText, ApiModel


class SignerView(ApiModel):
    """Someone of the group, with what keeps them from signing."""

    address: AddressText
    name: str
    role: UserRole | None = Field(description="null for an owner of a Safe who is no user")
    is_able: bool = Field(description="whether the person may sign now")
    is_present: bool = Field(description="whether the person may sign, and used the system lately")
    seen_on: date | None = Field(description="UTC day of the last use of a session; null for one who never signed in")
    missing: list[str] = Field(description="each reason for which the person may not sign; empty if they may")

    @classmethod
    def of(cls, signer: Signer, *, is_present: bool) -> Self:
        return cls(
            address=signer.address,
            name=signer.user.name if signer.user else "",
            role=signer.user.role if signer.user else None,
            is_able=not signer.faults,
            is_present=is_present,
            seen_on=None if signer.seen_at is None else signer.seen_at.date(),
            missing=list(signer.faults),
        )


class SignerGroupView(ApiModel):
    """The owners of a Safe, or a group of voters of the policy in force."""

    kind: SignerGroupKind
    name: str = Field(description="the Safe's name, or the group in words, such as `2 of vip_approver`")
    rules: list[str] = Field(description="the policy's rules that ask for the group; empty for a Safe")
    readiness: Readiness = Field(
        description="READY: enough may sign and were seen lately; AWAY: enough may sign; SHORT: too few may sign"
    )
    needed: int
    able: int = Field(description="how many may sign now; a person and their stand-in are one")
    present: int = Field(description="how many of them used the system lately")
    signers: list[SignerView]

    @classmethod
    def of(cls, group: SignerGroup, now: datetime, *, within: timedelta) -> Self:
        present = group.present(now, within=within)
        return cls(
            kind=group.kind,
            name=group.name,
            rules=list(group.rules),
            readiness=group.readiness(now, within=within),
            needed=group.needed,
            able=count_places(group.able()),
            present=count_places(present),
            signers=[SignerView.of(signer, is_present=signer in present) for signer in group.signers],
        )


class ReadinessView(ApiModel):
    """Every group of signers: the Safes first."""

    seen_within_seconds: int = Field(description="what counts as lately")
    items: list[SignerGroupView]

    @classmethod
    def of(cls, groups: Iterable[SignerGroup], now: datetime, *, within: timedelta) -> Self:
        items = [SignerGroupView.of(group, now, within=within) for group in groups]
        return cls(seen_within_seconds=int(within.total_seconds()), items=items)
