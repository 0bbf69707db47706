"""Tables of on-chain roles: holders and changes."""

from sqlalchemy import Boolean, Index
from sqlalchemy.orm import Mapped, mapped_column

from paimon.domain.kernel.chain import ContractName
from paimon.infrastructure.database.models.base import DERIVED_SCHEMA, Base
from paimon.infrastructure.database.models.derived.event_columns import EventRowColumns, event_row_checks
from paimon.infrastructure.database.types import (
    AddressBytes,
    HashBytes,
    enum_check,
    enum_column,
    length_check,
)


class RoleHolderRow(Base):
    """A role that an account holds on a contract at the cursor's block."""

    __tablename__ = "role_holders"
    __table_args__ = (
        enum_check("contract", ContractName),
        *length_check(32, "role"),
        *length_check(20, "account"),
        DERIVED_SCHEMA,
    )
    contract: Mapped[ContractName] = enum_column(ContractName, primary_key=True)
    role: Mapped[HashBytes] = mapped_column(primary_key=True)
    account: Mapped[AddressBytes] = mapped_column(primary_key=True)


class RoleChangeRow(EventRowColumns, Base):
    """A role that was granted to an account or revoked from it, with the sender."""

    __tablename__ = "role_changes"
    __table_args__ = (
        *event_row_checks(),
        enum_check("contract", ContractName),
        *length_check(32, "role"),
        *length_check(20, "account", "sender"),
        Index("ix_role_changes_account", "account", "block_number"),
        DERIVED_SCHEMA,
    )
    contract: Mapped[ContractName] = enum_column(ContractName)
    role: Mapped[HashBytes]
    account: Mapped[AddressBytes]
    sender: Mapped[AddressBytes]
    granted: Mapped[bool] = mapped_column(Boolean)
