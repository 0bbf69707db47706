"""What people decided and what this system set out to do. No row here can be rebuilt from the chain."""

from paimon.infrastructure.database.models.ops import (
    approval,
    event_listener,
    lease,
    multisig,
    nav,
    operator_action,
    outbox,
    pending_log,
    plan,
    quarantine,
    reconciliation,
    retention,
    risk,
    transaction,
    user,
)

__all__ = [
    "approval",
    "event_listener",
    "lease",
    "multisig",
    "nav",
    "operator_action",
    "outbox",
    "pending_log",
    "plan",
    "quarantine",
    "reconciliation",
    "retention",
    "risk",
    "transaction",
    "user",
]
