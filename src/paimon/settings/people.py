"""Who may decide what within which time, how people sign in, and what the API takes of them."""

from pydantic import Field, SecretStr

from paimon.domain.approval.ticket import ApprovalPolicy, TicketRule, TicketType
from paimon.settings.base import Group

_HOUR = 3600


class ApprovalRuleSettings(Group):
    required_approvals: int = Field(1, ge=1)
    warn_seconds: int
    escalate_seconds: int
    deadline_seconds: int


class ApprovalSettings(Group):
    """Source of the defaults: docs/fund.md, "Approvals"."""

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


class AuthSettings(Group):
    token_secret: SecretStr = Field(min_length=32, description="signs access tokens; the same on every API replica")
    domain: str = Field("localhost", description="the host a sign-in message names")
    uri: str = "http://localhost"
    challenge_ttl_seconds: int = 300
    access_token_ttl_seconds: int = 900


class ApiSettings(Group):
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65_535)
    page_size_default: int = 20
    page_size_max: int = 100
    body_bytes_max: int = 64 * 1024
    csv_rows_max: int = Field(100_000, ge=1, description="rows of one CSV; more are refused, so that none is cut short")
    csv_seconds_max: float = Field(120.0, gt=0, description="a reader who takes longer over a CSV is cut off")
    csv_files_max: int = Field(
        3, ge=1, description="CSVs written at one time; each holds one of the pool's sessions as long as its reader takes"
    )
    ws_queue_max: int = Field(256, description="messages a WebSocket client may lag behind before it is dropped")
    ws_auth_timeout_seconds: float = 10.0
