"""What a person signs to resolve a risk event, and the right that it takes."""

from collections.abc import Mapping
from typing import Final

from paimon.domain.kernel.signed_action import ActionContent, ActionName, effect_hash
from paimon.domain.risk.risk_event import RiskEvent, RiskKind
from paimon.domain.user.roles import Permission

_PERMISSIONS: Final[Mapping[RiskKind, Permission]] = {RiskKind.CONTRACT_CHANGED: Permission.ADMINISTER_FUND}
"""Kinds whose resolution lets something go on that the event holds back. The signature is verified again where it does."""


def resolution_content(event: RiskEvent) -> ActionContent:
    """Return what a person signs to resolve this event: the finding with both figures as they are now."""
    finding = event.finding
    return ActionContent(
        action=ActionName.RESOLVE_RISK_EVENT,
        resource=f"/risk/events/{event.id}",
        statement=f"Resolve {finding.severity} risk event {event.id}, {finding.kind}: {event}",
        effect=effect_hash(finding.kind, finding.severity, finding.subject, finding.observed, finding.expected),
    )


def resolution_permission(kind: RiskKind) -> Permission:
    """Return the right that a person needs to resolve an event of this kind."""
    return _PERMISSIONS.get(kind, Permission.HANDLE_RISK)


def is_verified_later(kind: RiskKind) -> bool:
    """Report whether the signature of a resolution is verified again later, so that only a key's counts."""
    return kind in _PERMISSIONS
