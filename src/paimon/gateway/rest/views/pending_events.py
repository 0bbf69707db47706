"""JSON shape of an event whose block is not final."""

from typing import Any, Self

from pydantic import Field

from paimon.application.event_listener.record.queries import PendingLog
from paimon.domain.kernel.chain import ContractName
from paimon.gateway.rest.schema import AddressText, ApiModel, HashText, Time


class PendingEventView(ApiModel):
    """One log of a tracked contract, in a block above the recorded ones."""

    block_number: int
    block_hash: HashText
    block_timestamp: Time
    tx_hash: HashText
    log_index: int
    contract: ContractName
    address: AddressText
    event: str | None = Field(description="null for a log of no known event")
    args: dict[str, Any] | None
    seen_at: Time

    @classmethod
    def of(cls, log: PendingLog) -> Self:
        return cls(**{name: getattr(log, name) for name in cls.model_fields})
