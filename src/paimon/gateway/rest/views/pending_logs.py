"""Events that are seen and not final."""

from typing import Any, Self

from pydantic import Field

from paimon.domain.kernel.chain import ContractName
from paimon.gateway.rest.schema import AddressText, ApiModel, HashText, Time
from paimon.infrastructure.database.models.ops.pending_log import PendingLogRow


class PendingEventView(ApiModel):
    """One log of a followed contract above the recorded blocks."""

    block_number: int
    block_hash: HashText
    block_at: Time
    tx_hash: HashText
    log_index: int
    contract: ContractName
    address: AddressText
    event: str | None = Field(description="null for a log of no known event")
    args: dict[str, Any] | None
    seen_at: Time

    @classmethod
    def of(cls, row: PendingLogRow) -> Self:
        columns = {name: getattr(row, name) for name in cls.model_fields if name != "block_at"}
        return cls(block_at=row.block_timestamp, **columns)
