"""Reactions that were given up and logs that were set aside, as the API shows them, and what people decided about them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self

from pydantic import Field

from paimon.application.quarantine.queries import OutboxStatus, UnappliedLog, status_of
from paimon.domain.kernel.chain import ContractName, hex0x
from paimon.domain.risk.operator_decision import OperatorDecisionKind, OperatorDecisionStatus
from paimon.gateway.rest.schema import AddressText, ApiModel, BigInt, HashText, Time
from paimon.gateway.rest.views.approvals import Reason, UnixSeconds
from paimon.infrastructure.database.models.derived import LogStatus
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow, OutboxPriority
from paimon.infrastructure.database.models.ops.quarantine import OperatorDecisionRow


class OperatorDecisionBody(ApiModel):
    """A signature over a document of `signing`, with the free parts of its message."""

    nonce: HashText = Field(description="`message.nonce` of the signed typed data")
    expires_at: UnixSeconds = Field(description="`message.expiresAt` of the signed typed data, in Unix seconds")
    reason: Reason = Field(min_length=1, description="`message.reason` as signed: why, for whoever reads of it later")
    signature: str = Field(max_length=1_000, description="65 bytes r ‖ s ‖ v as 0x-hex, by eth_signTypedData_v4")


class OperatorDecisionView(ApiModel):
    """What somebody decided, with what was signed: enough to check it without this system."""

    kind: OperatorDecisionKind
    problem: str = Field(description="what was wrong, in its own words")
    reason: str
    requested_by: AddressText
    requested_at: Time
    state: OperatorDecisionStatus = Field(description="asked: the next rebuild of the books carries it out")
    outcome: str | None
    ended_at: Time | None
    typed_data: dict[str, Any] | None = Field(description="null where it was asked at a terminal of the house, by name alone")
    signature: str | None

    @classmethod
    def of(cls, remedy: OperatorDecisionRow) -> Self:
        signature = None if remedy.signature is None else hex0x(remedy.signature)
        same = {name: getattr(remedy, name) for name in cls.model_fields if name != "signature"}
        return cls(**same, signature=signature)


Signing = dict[OperatorDecisionKind, dict[str, Any]]
"""EIP-712 documents to sign, of the remedies that make sense now. `message.reason` is the signer's to replace."""


class OutboxMessageView(ApiModel):
    """A reaction to something that was committed: what it looks at, how urgent it is, how it stands."""

    id: int
    kind: str
    aggregate_id: str
    priority: OutboxPriority
    state: OutboxStatus
    created_at: Time
    available_at: Time = Field(description="not tried before")
    attempts: int = Field(description="failures so far")
    last_error: str | None
    done_at: Time | None
    dead_lettered_at: Time | None = Field(description="when it was given up")

    @classmethod
    def of(cls, message: OutboxMessageRow, now: datetime) -> Self:
        return cls(**_reaction_fields(message, now))


class OutboxMessageDetailView(OutboxMessageView):
    """A reaction with what people decided about it, and what they could decide now."""

    payload: dict[str, Any]
    decisions: list[OperatorDecisionView]
    signing: Signing

    @classmethod
    def of_detail(
        cls, message: OutboxMessageRow, decisions: Sequence[OperatorDecisionRow], signing: Signing, now: datetime
    ) -> Self:
        shown = [OperatorDecisionView.of(each) for each in decisions]
        return cls(**_reaction_fields(message, now), payload=message.payload, decisions=shown, signing=signing)


def _reaction_fields(message: OutboxMessageRow, now: datetime) -> dict[str, Any]:
    same = {name: getattr(message, name) for name in OutboxMessageView.model_fields if name != "state"}
    return same | {"state": status_of(message, now)}


class QuarantinedLogView(ApiModel):
    """A log that could not be read or applied, or that somebody decided to leave out; what it is about, as far as it tells."""

    block_number: int
    log_index: int
    time: Time
    tx_hash: HashText
    contract: ContractName
    address: AddressText
    event: str | None = Field(description="null for a log that does not decode")
    request_id: BigInt | None = Field(description="the redemption it tells of")
    addresses: list[AddressText] = Field(description="holders, tokens and others it names")
    status: LogStatus
    reason: str | None = Field(description="why it is in quarantine")

    @classmethod
    def of(cls, found: UnappliedLog) -> Self:
        return cls(**_log_fields(found))


class QuarantinedLogDetailView(QuarantinedLogView):
    """A log with its bytes, what people decided about it, and what they could decide now."""

    topics: list[str]
    data: str
    args: dict[str, Any] | None
    decisions: list[OperatorDecisionView]
    signing: Signing

    @classmethod
    def of_detail(cls, found: UnappliedLog, decisions: Sequence[OperatorDecisionRow], signing: Signing) -> Self:
        log = found.log
        return cls(
            **_log_fields(found),
            topics=[hex0x(each) for each in log.topics],
            data=hex0x(log.data),
            args=log.args,
            decisions=[OperatorDecisionView.of(each) for each in decisions],
            signing=signing,
        )


def _log_fields(found: UnappliedLog) -> dict[str, Any]:
    own = {"time": found.at, "addresses": list(found.addresses)}
    return own | {name: getattr(found.log, name) for name in QuarantinedLogView.model_fields if name not in own}
