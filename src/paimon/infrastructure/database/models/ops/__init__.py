"""Tables of the schema `ops`: decisions and work of operators and of this system. No replay can rebuild them."""

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
    signer_check,
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
    "signer_check",
    "transaction",
    "user",
]
