"""One valid row of each table of the Safes, and the wrong ones that its constraints must refuse."""

from datetime import timedelta
from typing import Any, Final

from tests.support.factories.strategies import EPOCH, address

from paimon.domain.kernel.chain import Hash32
from paimon.domain.kernel.units import UINT256_MAX
from paimon.domain.transaction.safe_transaction import SafeName
from paimon.infrastructure.database.models.base import Base
from paimon.infrastructure.database.models.ops.multisig import SafeProposalRow, SafeRow, SafeSignatureRow

Wrong = tuple[type[Base], dict[str, Any], str]

HASH: Final = Hash32(b"\x01" * 32)

VALID: Final[dict[type[Base], dict[str, Any]]] = {
    SafeRow: {
        "address": address(1),
        "name": SafeName.WARM,
        "owners": [address(2), address(3)],
        "threshold": 2,
        "nonce": 0,
        "next_nonce": 1,
        "seen_block": 1,
        "seen_hash": HASH,
    },
    SafeProposalRow: {
        "hash": HASH,
        "safe": address(1),
        "nonce": 0,
        "to_address": address(2),
        "value_wei": 0,
        "data": b"",
        "operation": 0,
        "idempotency_key": "plan:1",
        "reason": "",
        "created_at": EPOCH,
        "expires_at": EPOCH + timedelta(days=1),
    },
    SafeSignatureRow: {
        "proposal": HASH,
        "owner": address(2),
        "signature": bytes(65),
        "by_contract": False,
        "sent_by": address(2),
    },
}
NEEDS: Final[dict[type[Base], tuple[type[Base], ...]]] = {
    SafeProposalRow: (SafeRow,),
    SafeSignatureRow: (SafeRow, SafeProposalRow),
}

CLOSED: Final = {"outcome": "executed", "executed_tx": HASH, "closed_at": EPOCH}
STATES: Final[list[Wrong]] = [
    (SafeRow, {"next_nonce": -1, "nonce": -1}, "ck_safes_nonces_in_order"),
    (SafeRow, {"nonce": 2}, "ck_safes_nonces_in_order"),
    (SafeRow, {"threshold": 0}, "ck_safes_threshold_can_be_reached"),
    (SafeRow, {"threshold": 3}, "ck_safes_threshold_can_be_reached"),
    (SafeRow, {"interrupted_by": "a node"}, "ck_safes_interrupted_by_something"),
    (SafeProposalRow, {"nonce": -1}, "ck_safe_proposals_nonce_counts_up"),
    (SafeProposalRow, {"operation": 2}, "ck_safe_proposals_operation_known"),
    (SafeProposalRow, {"expires_at": EPOCH}, "ck_safe_proposals_expires_later"),
    (SafeProposalRow, CLOSED | {"closed_at": None}, "ck_safe_proposals_closed_by_outcome"),
    (SafeProposalRow, {"closed_at": EPOCH}, "ck_safe_proposals_closed_by_outcome"),
    (SafeProposalRow, CLOSED | {"executed_tx": None}, "ck_safe_proposals_outcome_by_transaction"),
    (SafeProposalRow, {"executed_tx": HASH}, "ck_safe_proposals_outcome_by_transaction"),
    (SafeSignatureRow, {"signature": bytes(64)}, "ck_safe_signatures_of_a_key_or_a_contract"),
]
VALUES: Final[list[Wrong]] = [
    (SafeRow, {"name": "lukewarm"}, "ck_safes_name_known"),
    (SafeProposalRow, CLOSED | {"outcome": "forgotten"}, "ck_safe_proposals_outcome_known"),
]
LENGTHS: Final[list[Wrong]] = [
    (table, more | {column: b"\x01" * wrong}, f"ck_{table.__tablename__}_{column}_length")
    for table, more, columns in (
        (SafeRow, {}, ("address", "seen_hash")),
        (SafeProposalRow, CLOSED, ("hash", "to_address", "proposed_by", "executed_tx")),
        (SafeSignatureRow, {}, ("owner", "sent_by")),
    )
    for column in columns
    for wrong in (0, 33)
]
AMOUNTS: Final[list[Wrong]] = [
    (SafeProposalRow, {"value_wei": wrong}, "ck_safe_proposals_value_wei_uint256") for wrong in (-1, UINT256_MAX + 1)
]
TWICE: Final[list[Wrong]] = [
    (SafeRow, {"name": "cold"}, "pk_safes"),
    (SafeProposalRow, {"idempotency_key": "plan:2"}, "pk_safe_proposals"),
    (SafeProposalRow, {"hash": Hash32(b"\x02" * 32)}, "uq_safe_proposals_idempotency_key"),
    (SafeSignatureRow, {"sent_by": address(3)}, "pk_safe_signatures"),
]
