"""One valid row of each table of plans, and the wrong ones that its constraints must refuse."""

from typing import Any, Final
from uuid import UUID

from tests.support.factories.multisig_rows import Wrong
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
        "passed_over": [],
    },
    PlanCallRow: {
        "plan_id": _PLAN,
        "place": 0,
        "contract": ContractName.ASSET_CONTROLLER,
        "function": "purchaseAsset",
        "words": "w",
        "to_address": address(2),
        "data": b"",
        "amount": 1,
        "intent_id": _INTENT,
    },
}
NEEDS: Final[dict[type[Base], tuple[type[Base], ...]]] = {
    PlanRow: (SafeRow, SafeProposalRow),
    PlanCallRow: (WalletRow, IntentRow, SafeRow, SafeProposalRow, PlanRow),
}

SIGNED: Final = {
    "asked_by": address(2),
    "nonce": HASH,
    "typed_data": {},
    "signature": b"s",
    "signature_expires_at": EPOCH,
}
PROPOSED: Final = {"wallet": PlanWallet.WARM, "proposal": HASH}

STATES: Final[list[Wrong]] = [
    (PlanRow, {"wallet": "warm"}, "ck_plans_proposed_to_a_safe"),
    (PlanRow, PROPOSED | {"wallet": "hot"}, "ck_plans_proposed_to_a_safe"),
    *((PlanRow, {column: value}, "ck_plans_signed_whole") for column, value in SIGNED.items()),
    (PlanCallRow, {"place": -1}, "ck_plan_calls_place_counts_up"),
]
VALUES: Final[list[Wrong]] = [
    (PlanRow, PROPOSED | {"wallet": "lukewarm"}, "ck_plans_wallet_known"),
    (PlanCallRow, {"contract": "none of ours"}, "ck_plan_calls_contract_known"),
]
LENGTHS: Final[list[Wrong]] = [
    (table, more | {column: b"\x01" * wrong}, f"ck_{table.__tablename__}_{column}_length")
    for table, more, columns in (
        (PlanRow, SIGNED, ("payload_hash", "asked_by", "nonce")),
        (PlanRow, PROPOSED, ("proposal",)),
        (PlanCallRow, {}, ("to_address",)),
    )
    for column in columns
    for wrong in (0, 33)
]
AMOUNTS: Final[list[Wrong]] = [
    (table, {"amount": wrong}, f"ck_{table.__tablename__}_amount_uint256")
    for table in (PlanRow, PlanCallRow)
    for wrong in (-1, UINT256_MAX + 1)
]
TWICE: Final[list[Wrong]] = [
    (PlanRow, {"idempotency_key": "q"}, "pk_plans"),
    (PlanRow, {"id": UUID(int=3)}, "uq_plans_idempotency_key"),
    (PlanCallRow, {"amount": 2}, "pk_plan_calls"),
    (PlanCallRow, {"place": 1}, "uq_plan_calls_intent_id"),
]
TWICE_MORE: Final[list[tuple[dict[str, Any], str]]] = [
    (SIGNED, "uq_plans_nonce"),
    (PROPOSED, "uq_plans_proposal"),
]
"""What two plans may not share, each of them valid by itself."""
