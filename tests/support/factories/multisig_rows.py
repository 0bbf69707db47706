"""One valid row of each table of the Safes, and the invalid rows that its constraints must refuse."""

from datetime import timedelta
from typing import Any, Final

from tests.support.factories.strategies import EPOCH, address

from paimon.domain.kernel.chain import Hash32
from paimon.domain.kernel.units import UINT256_MAX
from paimon.domain.transaction.safe_transaction import SafeName
from paimon.infrastructure.database.models.base import Base
from paimon.infrastructure.database.models.ops.multisig import SafeProposalRow, SafeRow, SafeSignatureRow

InvalidRow = tuple[type[Base], dict[str, Any], str]

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
        "is_contract_signature": False,
        "submitted_by": address(2),
    },
}
DEPENDENCIES: Final[dict[type[Base], tuple[type[Base], ...]]] = {
    SafeProposalRow: (SafeRow,),
    SafeSignatureRow: (SafeRow, SafeProposalRow),
}

CLOSED: Final = {"outcome": "EXECUTED", "executed_tx_hash": HASH, "closed_at": EPOCH}
INVALID_STATES: Final[list[InvalidRow]] = [
    (SafeRow, {"next_nonce": -1, "nonce": -1}, "ck_safes_nonces_in_order"),
    (SafeRow, {"nonce": 2}, "ck_safes_nonces_in_order"),
    (SafeRow, {"threshold": 0}, "ck_safes_threshold_within_owners"),
    (SafeRow, {"threshold": 3}, "ck_safes_threshold_within_owners"),
    (SafeRow, {"last_error": "a node"}, "ck_safes_last_error_with_time"),
    (SafeProposalRow, {"nonce": -1}, "ck_safe_proposals_nonce_not_negative"),
    (SafeProposalRow, {"operation": 2}, "ck_safe_proposals_operation_known"),
    (SafeProposalRow, {"expires_at": EPOCH}, "ck_safe_proposals_expires_after_creation"),
    (SafeProposalRow, CLOSED | {"closed_at": None}, "ck_safe_proposals_closed_at_with_outcome"),
    (SafeProposalRow, {"closed_at": EPOCH}, "ck_safe_proposals_closed_at_with_outcome"),
    (SafeProposalRow, CLOSED | {"executed_tx_hash": None}, "ck_safe_proposals_executed_tx_hash_with_outcome"),
    (SafeProposalRow, {"executed_tx_hash": HASH}, "ck_safe_proposals_executed_tx_hash_with_outcome"),
    (SafeSignatureRow, {"signature": bytes(64)}, "ck_safe_signatures_signature_length"),
]
UNKNOWN_VALUES: Final[list[InvalidRow]] = [
    (SafeRow, {"name": "lukewarm"}, "ck_safes_name_known"),
    (SafeProposalRow, CLOSED | {"outcome": "forgotten"}, "ck_safe_proposals_outcome_known"),
]
WRONG_LENGTHS: Final[list[InvalidRow]] = [
    (table, more | {column: b"\x01" * wrong}, f"ck_{table.__tablename__}_{column}_length")
    for table, more, columns in (
        (SafeRow, {}, ("address", "seen_hash")),
        (SafeProposalRow, CLOSED, ("hash", "to_address", "proposed_by", "executed_tx_hash")),
        (SafeSignatureRow, {}, ("owner", "submitted_by")),
    )
    for column in columns
    for wrong in (0, 33)
]
WRONG_AMOUNTS: Final[list[InvalidRow]] = [
    (SafeProposalRow, {"value_wei": wrong}, "ck_safe_proposals_value_wei_uint256") for wrong in (-1, UINT256_MAX + 1)
]
DUPLICATES: Final[list[InvalidRow]] = [
    (SafeRow, {"name": "cold"}, "pk_safes"),
    (SafeProposalRow, {"idempotency_key": "plan:2"}, "pk_safe_proposals"),
    (SafeProposalRow, {"hash": Hash32(b"\x02" * 32)}, "uq_safe_proposals_idempotency_key"),
    (SafeSignatureRow, {"submitted_by": address(3)}, "pk_safe_signatures"),
]
