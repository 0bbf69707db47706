"""Who may decide what within which time, how people sign in, and what the API takes of them."""

from pydantic import Field

from paimon.domain.approval.ticket import ApprovalPolicy, TicketRule, TicketType
from paimon.settings.base import SettingsGroup

_HOUR = 3600


class ApprovalRuleSettings(SettingsGroup):
    required_approvals: int = Field(1, ge=1)
    warn_seconds: int
    escalate_seconds: int
    deadline_seconds: int


class ApprovalSettings(SettingsGroup):
    """Source of the defaults: docs/concepts/fund.md, "Approvals"."""

    policy_version: int = 1
    vote_ttl_seconds_max: int = Field(300, ge=1, description="how far ahead a vote's expiry may lie")
    emergency: ApprovalRuleSettings = ApprovalRuleSettings(
        warn_seconds=2 * _HOUR, escalate_seconds=3 * _HOUR, deadline_seconds=4 * _HOUR
    )
    standard: ApprovalRuleSettings = ApprovalRuleSettings(
        warn_seconds=12 * _HOUR, escalate_seconds=18 * _HOUR, deadline_seconds=24 * _HOUR
    )

    def policy(self) -> ApprovalPolicy:
        return ApprovalPolicy(
            self.policy_version,
            {
                TicketType.EMERGENCY_REDEMPTION: TicketRule(**self.emergency.model_dump()),
                TicketType.STANDARD_REDEMPTION: TicketRule(**self.standard.model_dump()),
            },
        )
