"""Table of what the fund's contracts were found to be: code, proxy and functions, from a block on.

It is in `ops`, because a replay cannot rebuild it: a node keeps the state of old blocks for a short time only.
"""

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from paimon.domain.kernel.chain import ContractName
from paimon.infrastructure.database.models.base import OPS_SCHEMA, Base
from paimon.infrastructure.database.types import AddressBytes, HashBytes, Instant, enum_check, enum_column, length_check


class ContractFactsRow(Base):
    """One contract as it was found from `block_*` to `last_block_*`; the next row of the contract says what it became."""

    __tablename__ = "contract_facts"
    __table_args__ = (
        enum_check("contract", ContractName),
        *length_check(20, "address", "implementation", "admin"),
        *length_check(32, "code_hash", "block_hash", "last_block_hash"),
        CheckConstraint("block_number <= last_block_number", name="blocks_in_order"),
        Index("ix_contract_facts_contract", "contract", "id"),
        OPS_SCHEMA,
    )
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    contract: Mapped[ContractName] = enum_column(ContractName)
    address: Mapped[AddressBytes]
    code_hash: Mapped[HashBytes]
    implementation: Mapped[AddressBytes | None]
    admin: Mapped[AddressBytes | None]
    functions: Mapped[dict[str, str]] = mapped_column(JSONB)
    errors: Mapped[list[str]] = mapped_column(JSONB)
    unknown_selectors: Mapped[list[str]] = mapped_column(JSONB)
    block_number: Mapped[int] = mapped_column(BigInteger)
    block_hash: Mapped[HashBytes]
    block_timestamp: Mapped[Instant]
    last_block_number: Mapped[int] = mapped_column(BigInteger)
    last_block_hash: Mapped[HashBytes]
    last_block_timestamp: Mapped[Instant]
