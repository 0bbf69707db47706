"""JSON shapes of quarantined and skipped logs."""

from collections.abc import Sequence
from typing import Any, Self

from pydantic import Field

from paimon.application.quarantine.queries import RecordedDecision, UnappliedLog
from paimon.domain.events.log_status import LogStatus
from paimon.domain.kernel.chain import ContractName, hex0x
from paimon.gateway.rest.schema import AddressText, ApiModel, BigInt, HashText, Time
from paimon.gateway.rest.views.operator_decisions import DecisionDocuments, OperatorDecisionView


class QuarantinedLogView(ApiModel):
    """A log that could not be decoded or applied, or that an operator skipped, with the request and accounts it names."""

    block_number: int
    log_index: int
    time: Time
    tx_hash: HashText
    contract: ContractName
    address: AddressText
    event: str | None = Field(description="null for a log that does not decode")
    request_id: BigInt | None = Field(description="the redemption request that the log is about")
    addresses: list[AddressText] = Field(description="holders, tokens and other accounts that the log names")
    status: LogStatus
    reason: str | None = Field(description="why the log is quarantined")

    @classmethod
    def of(cls, log: UnappliedLog) -> Self:
        return cls(**_fields(log))


class QuarantinedLogDetailView(QuarantinedLogView):
    """A quarantined log with its bytes, the decisions about it, and the documents that release or skip it."""

    topics: list[str]
    data: str
    args: dict[str, Any] | None
    decisions: list[OperatorDecisionView]
    signing: DecisionDocuments

    @classmethod
    def of_detail(cls, log: UnappliedLog, decisions: Sequence[RecordedDecision], signing: DecisionDocuments) -> Self:
        return cls(
            **_fields(log),
            topics=[hex0x(topic) for topic in log.topics],
            data=hex0x(log.data),
            args=log.args,
            decisions=[OperatorDecisionView.of(decision) for decision in decisions],
            signing=signing,
        )


def _fields(log: UnappliedLog) -> dict[str, Any]:
    return {name: getattr(log, name) for name in QuarantinedLogView.model_fields}
