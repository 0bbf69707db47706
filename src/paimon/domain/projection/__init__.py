"""Projection of the fund's events into states and facts: a pure fold over transactions.

The fold depends only on the events and their order, so the listener, a replay and a test get the same result. How the
transactions were batched makes no difference. Two kinds of results: *states*, which later events change (`state`), and
*facts*, which one transaction fixes for good (`facts`).
"""

from paimon.domain.projection.facts import AlertLevel, Deposit, Facts, LiquidityAlert, RoleChange
from paimon.domain.projection.required_rows import RequiredRows, required_rows
from paimon.domain.projection.state import (
    ContractFlag,
    ContractFlagKey,
    ContractFlagStatus,
    Projection,
    ProtocolAddress,
    ProtocolAddressKey,
    RoleKey,
)

__all__ = [
    "AlertLevel",
    "ContractFlag",
    "ContractFlagKey",
    "ContractFlagStatus",
    "Deposit",
    "Facts",
    "LiquidityAlert",
    "Projection",
    "ProtocolAddress",
    "ProtocolAddressKey",
    "RequiredRows",
    "RoleChange",
    "RoleKey",
    "required_rows",
]
