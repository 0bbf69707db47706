"""What the fund's events add up to: a pure fold, one transaction after the other.

The fold is a function of the events in order, so that the listener, a replay and a test all get the same books; how the
transactions were cut into batches cannot matter. Two kinds of results: *states*, which later events change (`state`),
and *facts*, each of which one transaction tells for good (`facts`).
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
    "Deposit",
    "Facts",
    "ContractFlag",
    "ContractFlagKey",
    "ContractFlagStatus",
    "LiquidityAlert",
    "Projection",
    "ProtocolAddress",
    "ProtocolAddressKey",
    "RequiredRows",
    "RoleChange",
    "RoleKey",
    "required_rows",
]
