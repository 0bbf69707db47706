"""JSON shapes of risk events, and of the request that acknowledges one."""

from datetime import datetime
from typing import Self

from pydantic import Field

from paimon.application.risk_control.acknowledgement_links import IssuedLink, OpenLink
from paimon.domain.risk.risk_event import RiskEvent, RiskKind, RiskStatus, Severity, format_owner
from paimon.gateway.rest.schema import AddressText, ApiModel, Time
from paimon.gateway.rest.views.signed_action import Reason


class RiskEventView(ApiModel):
    """A finding that needs attention: both figures, its owner and its status."""

    id: int
    kind: RiskKind
    subject: str
    observed: str = Field(description="for a reconciliation break: the recorded figure")
    expected: str = Field(description="for a reconciliation break: the figure on chain")
    severity: Severity = Field(description="a critical reconciliation break is material: NAV is withheld until it is resolved")
    status: RiskStatus
    owner: str = Field(description="a role, or the address of a person")
    first_seen_at: Time
    first_seen_block: int
    last_seen_at: Time
    last_seen_block: int = Field(description="the block at which both figures were read last")
    age_seconds: int = Field(description="from `firstSeenAt` until now, or until it was resolved")
    acknowledged_at: Time | None
    acknowledged_by: AddressText | None
    resolved_at: Time | None
    resolved_block: int | None = Field(description="block of the first check or reconciliation that no longer found it")
    resolved_by: AddressText | None = Field(description="the user who resolved it; null if a check or reconciliation did")
    note: str | None

    @classmethod
    def of(cls, event: RiskEvent, now: datetime) -> Self:
        return cls(
            id=event.id,
            kind=event.finding.kind,
            subject=event.finding.subject,
            observed=event.finding.observed,
            expected=event.finding.expected,
            severity=event.finding.severity,
            status=event.status,
            owner=format_owner(event.owner),
            first_seen_at=event.first_seen.at,
            first_seen_block=event.first_seen.block,
            last_seen_at=event.last_seen.at,
            last_seen_block=event.last_seen.block,
            age_seconds=int(event.age(now).total_seconds()),
            acknowledged_at=event.acknowledged.at if event.acknowledged else None,
            acknowledged_by=event.acknowledged.by if event.acknowledged else None,
            resolved_at=event.ended_at,
            resolved_block=event.cleared.block if event.cleared else None,
            resolved_by=event.resolved.by if event.resolved else None,
            note=event.note,
        )


class AcknowledgeBody(ApiModel):
    """The new owner and a note, both optional: without an owner, the caller becomes the owner."""

    owner: str | None = Field(None, max_length=60, description="the new owner: a role, or a user's address")
    note: Reason | None = None


class LinkNoteBody(ApiModel):
    """A note, optional."""

    note: Reason | None = None


class IssuedLinkView(ApiModel):
    """A link as its person gets it: the token is shown once."""

    token: str = Field(description="send it as the header `Paimon-Link`, never in an address")
    expires_at: Time

    @classmethod
    def of(cls, link: IssuedLink) -> Self:
        return cls(token=link.token, expires_at=link.expires_at)


class OpenLinkView(ApiModel):
    """What a link would acknowledge, and for whom."""

    event: RiskEventView
    person: AddressText
    name: str
    expires_at: Time

    @classmethod
    def of(cls, link: OpenLink, now: datetime) -> Self:
        event = RiskEventView.of(link.event, now)
        return cls(event=event, person=link.person.address, name=link.person.name, expires_at=link.expires_at)
