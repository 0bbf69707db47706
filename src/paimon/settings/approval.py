"""Settings of approvals: the policy of each ticket type, and the expiry of signatures."""

from datetime import timedelta

from pydantic import Field

from paimon.domain.approval.ticket import ApprovalPolicy, TicketRule, TicketType
from paimon.settings.base import SettingsGroup

_HOUR = 3600


class ApprovalRuleSettings(SettingsGroup):
    """Policy of one ticket type. The seconds count from the opening of the ticket."""

    required_approvals: int = Field(1, ge=1, description="approving votes that decide a ticket")
    warn_seconds: int = Field(description="seconds until the ticket is logged as late, stage WARN")
    escalate_seconds: int = Field(description="seconds until it is logged as late, stage ESCALATE")
    deadline_seconds: int = Field(
        description="seconds until the ticket is overdue; PaimonTicketOverdue fires, the ticket stays open"
    )


class ApprovalSettings(SettingsGroup):
    """Policy of approvals. Source of the defaults: docs/concepts/fund.md, "Approvals"."""

    policy_version: int = Field(1, description="version of the policy, kept with each ticket; raise it with every change")
    vote_ttl_seconds_max: int = Field(300, ge=1, description="seconds that a signature may expire ahead")
    emergency: ApprovalRuleSettings = Field(
        ApprovalRuleSettings(warn_seconds=2 * _HOUR, escalate_seconds=3 * _HOUR, deadline_seconds=4 * _HOUR),
        description="policy of emergency redemptions",
    )
    standard: ApprovalRuleSettings = Field(
        ApprovalRuleSettings(warn_seconds=12 * _HOUR, escalate_seconds=18 * _HOUR, deadline_seconds=24 * _HOUR),
        description="policy of standard redemptions",
    )

    @property
    def longest_deadline(self) -> timedelta:
        return timedelta(seconds=max(self.emergency.deadline_seconds, self.standard.deadline_seconds))

    def policy(self) -> ApprovalPolicy:
        """Build the policy that tickets are opened by."""
        return ApprovalPolicy(
            self.policy_version,
            {
                TicketType.EMERGENCY_REDEMPTION: TicketRule(**self.emergency.model_dump()),
                TicketType.STANDARD_REDEMPTION: TicketRule(**self.standard.model_dump()),
            },
        )
