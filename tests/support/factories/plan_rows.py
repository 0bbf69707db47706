"""One valid row of each table of plans, and the invalid rows that its constraints must refuse."""

from typing import Any, Final
from uuid import UUID

from tests.support.factories.multisig_rows import InvalidRow
from tests.support.factories.strategies import EPOCH, address

from paimon.domain.kernel.chain import ContractName, Hash32
from paimon.domain.kernel.units import UINT256_MAX
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon.infrastructure.database.models.base import Base
from paimon.infrastructure.database.models.ops.multisig import SafeProposalRow, SafeRow
from paimon.infrastructure.database.models.ops.plan import PlanCallRow, PlanRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow, WalletRow

HASH: Final = Hash32(b"\x01" * 32)
_INTENT: Final = UUID(int=1)
_PLAN: Final = UUID(int=2)

VALID: Final[dict[type[Base], dict[str, Any]]] = {
    PlanRow: {
        "id": _PLAN,
        "idempotency_key": "p",
        "payload_hash": HASH,
        "name": "rebalance",
        "reason": "r",
        "wallet": PlanWallet.HOT,
        "amount": 1,
        "rejected_wallets": [],
        "requested_by": address(2),
        "nonce": HASH,
        "typed_data": {},
        "signature": b"s",
        "signature_expires_at": EPOCH,
    },
    PlanCallRow: {
        "plan_id": _PLAN,
        "call_index": 0,
        "contract": ContractName.ASSET_CONTROLLER,
        "function": "purchaseAsset",
        "description": "w",
        "to_address": address(2),
        "data": b"",
        "amount": 1,
        "intent_id": _INTENT,
    },
}
DEPENDENCIES: Final[dict[type[Base], tuple[type[Base], ...]]] = {
    PlanRow: (SafeRow, SafeProposalRow),
    PlanCallRow: (WalletRow, IntentRow, SafeRow, SafeProposalRow, PlanRow),
}

PROPOSED: Final = {"wallet": PlanWallet.WARM, "proposal": HASH}

INVALID_STATES: Final[list[InvalidRow]] = [
    (PlanRow, {"wallet": "warm"}, "ck_plans_proposal_unless_hot"),
    (PlanRow, PROPOSED | {"wallet": "hot"}, "ck_plans_proposal_unless_hot"),
    (PlanCallRow, {"call_index": -1}, "ck_plan_calls_call_index_not_negative"),
]
UNKNOWN_VALUES: Final[list[InvalidRow]] = [
    (PlanRow, PROPOSED | {"wallet": "lukewarm"}, "ck_plans_wallet_known"),
    (PlanCallRow, {"contract": "none of ours"}, "ck_plan_calls_contract_known"),
]
WRONG_LENGTHS: Final[list[InvalidRow]] = [
    (table, more | {column: b"\x01" * wrong}, f"ck_{table.__tablename__}_{column}_length")
    for table, more, columns in (
        (PlanRow, {}, ("payload_hash", "requested_by", "nonce")),
        (PlanRow, PROPOSED, ("proposal",)),
        (PlanCallRow, {}, ("to_address",)),
    )
    for column in columns
    for wrong in (0, 33)
]
WRONG_AMOUNTS: Final[list[InvalidRow]] = [
    (table, {"amount": wrong}, f"ck_{table.__tablename__}_amount_uint256")
    for table in (PlanRow, PlanCallRow)
    for wrong in (-1, UINT256_MAX + 1)
]
DUPLICATES: Final[list[InvalidRow]] = [
    (PlanRow, {"idempotency_key": "q"}, "pk_plans"),
    (PlanRow, {"id": UUID(int=3)}, "uq_plans_idempotency_key"),
    (PlanCallRow, {"amount": 2}, "pk_plan_calls"),
    (PlanCallRow, {"call_index": 1}, "uq_plan_calls_intent_id"),
]
DUPLICATE_PAIRS: Final[list[tuple[dict[str, Any], str]]] = [
    ({"nonce": HASH}, "uq_plans_nonce"),
    (PROPOSED, "uq_plans_proposal"),
]
"""Columns that two plans may not share, although each plan is valid by itself."""
