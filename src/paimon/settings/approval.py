"""Settings of approvals. Who approves what is no setting: it is the approval policy, docs/concepts/policy.md."""

from datetime import timedelta

from pydantic import Field

from paimon.settings.base import SettingsGroup


class ApprovalSettings(SettingsGroup):
    vote_ttl_seconds_max: int = Field(300, ge=1, description="seconds that a signature may expire ahead")
    redemption_deadline_seconds_max: int = Field(
        24 * 3600,
        ge=1,
        description="longest deadline of a redemption's ticket in a published policy; the signer takes no older vote",
    )

    seen_within_seconds: int = Field(
        3 * 24 * 3600, ge=1, description="seconds since the last use of a session for which a signer counts as present"
    )

    @property
    def seen_within(self) -> timedelta:
        return timedelta(seconds=self.seen_within_seconds)

    @property
    def redemption_deadline_max(self) -> timedelta:
        return timedelta(seconds=self.redemption_deadline_seconds_max)
