"""Tests of transfer purposes: named by a log of the same transaction, or recognised without one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.factories.event_builders import (
    ASSET_TOKEN,
    MARKET,
    OTC,
    RECIPIENT,
    TREASURY,
    USDT,
    VAULT,
    amount,
    chain_transaction,
    transfer_in,
    transfer_out,
)
from tests.support.factories.strategies import AMOUNTS, address, stamp

from paimon.domain.asset.token_transfer import TokenFlow, TransferDirection, TransferPurpose
from paimon.domain.events import (
    AssetRedeemed,
    ChainTransaction,
    DepositProcessed,
    FeeRecipientUpdated,
    FundEvent,
    ManagementFeeCollected,
    OrderCreated,
    OrderDelivered,
    OrderPaid,
    Paused,
    PerformanceFeeCollected,
    PurchaseRouted,
    RedemptionFeeReduced,
    RedemptionFeesWithdrawn,
    RedemptionSettled,
    TokenTransfer,
    YieldCompounded,
)
from paimon.domain.events.errors import InapplicableEvent
from paimon.domain.kernel.chain import ContractName
from paimon.domain.kernel.units import UINT256_MAX, RawAmount
from paimon.domain.projection import Projection
from paimon.domain.vault.fees import FeeEntryType, FeeKind

pytestmark = pytest.mark.unit

INES = address(1)


def projection_with_recipient() -> Projection:
    """Build a projection that knows the fee recipient."""
    projection = Projection()
    projection.fold(chain_transaction(FeeRecipientUpdated(RECIPIENT)), TREASURY)
    return projection


def purposes(*transactions: ChainTransaction, projection: Projection | None = None) -> list[TransferPurpose]:
    projection = projection or projection_with_recipient()
    for transaction in transactions:
        assert not projection.fold(transaction, TREASURY) or any(
            isinstance(log.event, RedemptionSettled) for log in transaction.events
        )
    return [transfer.purpose for transfer in projection.facts.transfers]


CASES: list[tuple[list[FundEvent], list[TransferPurpose]]] = [
    ([transfer_in(USDT, 5, INES), DepositProcessed(INES, INES, amount(5), amount(4))], [TransferPurpose.DEPOSIT]),
    (
        [transfer_out(USDT, 4, INES), RedemptionSettled(1, INES, INES, amount(5), amount(1), amount(4), 0)],
        [TransferPurpose.REDEMPTION_PAYOUT],
    ),
    (
        [transfer_out(USDT, 5), transfer_in(ASSET_TOKEN, 7), PurchaseRouted(ASSET_TOKEN, 1, 1, amount(5), amount(7))],
        [TransferPurpose.PURCHASE, TransferPurpose.PURCHASE],
    ),
    (
        [transfer_out(ASSET_TOKEN, 7), transfer_in(USDT, 5), AssetRedeemed(ASSET_TOKEN, 1, amount(7), amount(5))],
        [TransferPurpose.SALE, TransferPurpose.SALE],
    ),
    (
        [OrderCreated(OTC, 1, ASSET_TOKEN, amount(5), amount(9), MARKET), transfer_out(USDT, 5), OrderPaid(OTC, 1, amount(5))],
        [TransferPurpose.OTC_PAYMENT],
    ),
    (
        [
            RedemptionFeeReduced(amount(0)),
            transfer_out(USDT, 3, RECIPIENT),
            RedemptionFeesWithdrawn(RECIPIENT, amount(3)),
        ],
        [TransferPurpose.REDEMPTION_FEE_WITHDRAWAL],
    ),
    ([transfer_in(ASSET_TOKEN, 2), YieldCompounded(ASSET_TOKEN, amount(9), amount(2))], [TransferPurpose.YIELD]),
    # Said before it is done, as another deployment might.
    ([DepositProcessed(INES, INES, amount(5), amount(4)), transfer_in(USDT, 5, INES)], [TransferPurpose.DEPOSIT]),
    # A token that keeps a fee of its own transfers.
    (
        [transfer_out(USDT, 5), transfer_in(ASSET_TOKEN, 6), PurchaseRouted(ASSET_TOKEN, 1, 1, amount(5), amount(7))],
        [TransferPurpose.PURCHASE, TransferPurpose.PURCHASE],
    ),
    # Two of a kind: each log has its own.
    (
        [
            transfer_in(USDT, 5, INES),
            DepositProcessed(INES, INES, amount(5), amount(4)),
            transfer_in(USDT, 5, INES),
            DepositProcessed(INES, INES, amount(5), amount(4)),
            transfer_in(USDT, 5, INES),
        ],
        [TransferPurpose.DEPOSIT, TransferPurpose.DEPOSIT, TransferPurpose.UNEXPLAINED],
    ),
]


@pytest.mark.parametrize(("events", "expected"), CASES)
def test_transfer_takes_purpose_from_log_of_same_transaction(events: list[FundEvent], expected: list[TransferPurpose]) -> None:
    assert purposes(chain_transaction(*events)) == expected


def test_transfer_ignores_logs_of_other_transactions() -> None:
    deposit = DepositProcessed(INES, INES, amount(5), amount(4))
    assert purposes(chain_transaction(transfer_in(USDT, 5, INES)), chain_transaction(deposit, number=2)) == [
        TransferPurpose.UNEXPLAINED
    ]


def test_otc_delivery_is_matched_by_token_of_order() -> None:
    created = OrderCreated(OTC, 1, ASSET_TOKEN, amount(5), amount(9), MARKET)
    paid = (transfer_out(USDT, 5), OrderPaid(OTC, 1, amount(5)))
    delivered = (transfer_in(ASSET_TOKEN, 8), OrderDelivered(OTC, 1, amount(8)))
    assert purposes(chain_transaction(created, *paid), chain_transaction(*delivered, number=2)) == [
        TransferPurpose.OTC_PAYMENT,
        TransferPurpose.OTC_DELIVERY,
    ]


ACCRUED = (
    ManagementFeeCollected(amount(30), amount(1_000), 60),
    PerformanceFeeCollected(amount(12), amount(120), amount(500)),
)


def test_fee_collection_pays_recipient_exactly_what_is_owed() -> None:
    projection = projection_with_recipient()
    assert purposes(
        chain_transaction(*ACCRUED), chain_transaction(transfer_out(USDT, 42, RECIPIENT), number=2), projection=projection
    ) == [TransferPurpose.FEE_COLLECTION]
    for kind, paid in ((FeeKind.MANAGEMENT, 30), (FeeKind.PERFORMANCE, 12)):
        account = projection.fees[kind]
        assert (account.accrued, account.released, account.paid, account.owed) == (paid, paid, paid, 0)
    steps = [
        (entry.kind, entry.entry_type, entry.amount)
        for entry in projection.facts.fee_entries
        if entry.entry_type is FeeEntryType.PAID
    ]
    assert steps == [(FeeKind.MANAGEMENT, FeeEntryType.PAID, 30), (FeeKind.PERFORMANCE, FeeEntryType.PAID, 12)]


def test_accrual_counts_for_collection_only_when_logged_before_it() -> None:
    assert purposes(chain_transaction(*ACCRUED, transfer_out(USDT, 42, RECIPIENT), ACCRUED[1])) == [
        TransferPurpose.FEE_COLLECTION
    ]
    assert purposes(chain_transaction(ACCRUED[0], transfer_out(USDT, 42, RECIPIENT), ACCRUED[1])) == [
        TransferPurpose.UNEXPLAINED
    ]


@pytest.mark.parametrize(
    "wrong", [transfer_out(USDT, 41, RECIPIENT), transfer_out(USDT, 42, MARKET), transfer_out(ASSET_TOKEN, 42, RECIPIENT)]
)
def test_other_payment_is_no_fee_collection(wrong: TokenTransfer) -> None:
    projection = projection_with_recipient()
    assert purposes(chain_transaction(*ACCRUED), chain_transaction(wrong, number=2), projection=projection) == [
        TransferPurpose.EMERGENCY_WITHDRAWAL
    ]
    assert projection.fees[FeeKind.MANAGEMENT].owed == 30


def test_redemption_paid_to_fee_recipient_is_no_fee_collection() -> None:
    settled = RedemptionSettled(1, RECIPIENT, RECIPIENT, amount(42), amount(0), amount(42), 0)
    withdrawn = RedemptionFeesWithdrawn(RECIPIENT, amount(42))
    found = purposes(
        chain_transaction(*ACCRUED),
        chain_transaction(transfer_out(USDT, 42, RECIPIENT), settled, number=2),
        chain_transaction(transfer_out(USDT, 42, RECIPIENT), withdrawn, number=3),
    )
    assert found == [TransferPurpose.REDEMPTION_PAYOUT, TransferPurpose.REDEMPTION_FEE_WITHDRAWAL]


def test_outgoing_transfer_without_log_of_paying_contracts_is_emergency_withdrawal() -> None:
    assert purposes(chain_transaction(transfer_out(ASSET_TOKEN, 5))) == [TransferPurpose.EMERGENCY_WITHDRAWAL]
    assert purposes(chain_transaction(transfer_out(ASSET_TOKEN, 5), Paused(INES), other_contracts=[ContractName.VAULT])) == [
        TransferPurpose.UNEXPLAINED
    ]
    assert purposes(chain_transaction(transfer_out(ASSET_TOKEN, 5), other_contracts=[ContractName.VAULT])) == [
        TransferPurpose.EMERGENCY_WITHDRAWAL
    ]
    assert purposes(chain_transaction(transfer_out(ASSET_TOKEN, 5), other_contracts=[ContractName.OTC_MANAGER])) == [
        TransferPurpose.UNEXPLAINED
    ]


def test_transfer_of_zero_has_purpose_zero_value() -> None:
    assert purposes(chain_transaction(transfer_out(USDT, 0), transfer_in(USDT, 0))) == [
        TransferPurpose.ZERO_VALUE,
        TransferPurpose.ZERO_VALUE,
    ]


def test_transfer_from_vault_to_itself_changes_nothing() -> None:
    projection = projection_with_recipient()
    assert purposes(chain_transaction(TokenTransfer(USDT, VAULT, VAULT, amount(5))), projection=projection) == [
        TransferPurpose.EMERGENCY_WITHDRAWAL
    ]
    assert projection.token_flows[USDT] == TokenFlow(USDT)
    assert projection.facts.transfers[0].direction is TransferDirection.INTERNAL


@given(st.lists(st.tuples(st.booleans(), AMOUNTS), max_size=8))
def test_token_flow_sums_transfers_or_rejects_them(moves: list[tuple[bool, RawAmount]]) -> None:
    projection = projection_with_recipient()
    for number, (inward, value) in enumerate(moves):
        projection.fold(
            chain_transaction(transfer_in(USDT, value) if inward else transfer_out(USDT, value), number=number + 1), TREASURY
        )
    flow = projection.token_flows.get(USDT, TokenFlow(USDT))
    for direction, total in ((TransferDirection.IN, flow.received), (TransferDirection.OUT, flow.sent)):
        assert (
            total
            == sum(transfer.amount for transfer in projection.facts.transfers if transfer.direction is direction)
            <= UINT256_MAX
        )


def test_token_flow_beyond_uint256_is_rejected() -> None:
    with pytest.raises(InapplicableEvent):
        TokenFlow(USDT, received=RawAmount(UINT256_MAX)).after(TransferDirection.IN, amount(1))


def test_facts_are_identified_by_position_of_their_log() -> None:
    projection = projection_with_recipient()
    purposes(
        chain_transaction(
            Paused(INES), transfer_in(USDT, 5, INES), DepositProcessed(INES, INES, amount(5), amount(4)), number=9
        ),
        projection=projection,
    )
    (transfer,), (deposit,) = projection.facts.transfers, projection.facts.deposits
    assert (transfer.log_position.log_index, transfer.source_log_index, deposit.log_position.log_index) == (1, 2, 2)
    assert transfer.log_position.at == stamp(9).timestamp
    assert transfer.log_position.block_number == 9
