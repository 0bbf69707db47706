"""The smallest eligible wallet: never above a limit, never larger than needed, with every reason."""

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from paimon.domain.kernel.chain import ContractName
from paimon.domain.kernel.units import WAD, RawAmount
from paimon.domain.transaction.spending_limit import SpendingLimit
from paimon.domain.transaction.wallet_selection import (
    ALLOWED_FUNCTIONS,
    PlannedCall,
    PlanWallet,
    RebalancerFunction,
    RejectionKind,
    WalletCandidate,
    WalletChoice,
    WalletRejectionReason,
    choose_wallet,
    format_whole_units,
)

pytestmark = pytest.mark.unit

CONTROLLER = ContractName.ASSET_CONTROLLER
LIMITS = {
    PlanWallet.HOT: SpendingLimit(RawAmount(10_000 * WAD), RawAmount(500_000 * WAD)),
    PlanWallet.WARM: SpendingLimit(RawAmount(100_000 * WAD), RawAmount(2_000_000 * WAD)),
}
amounts = st.one_of(st.integers(0, 60), st.integers(0, 10**30)).map(RawAmount)
functions = st.one_of(
    st.sampled_from([(CONTROLLER, function.value) for function in RebalancerFunction]),
    st.sampled_from([(CONTROLLER, "collectFees"), (ContractName.VAULT, "pause"), (ContractName.VAULT, "purchaseAsset")]),
)
calls = st.lists(
    st.builds(lambda where, amount: PlannedCall(where[0], where[1], amount), functions, amounts), min_size=1, max_size=4
)


def candidate(wallet: PlanWallet) -> st.SearchStrategy[WalletCandidate]:
    limit = st.none() if wallet is PlanWallet.COLD else st.builds(SpendingLimit, amounts, amounts)
    return st.builds(WalletCandidate, st.just(wallet), st.booleans(), limit, amounts)


candidates = st.tuples(*(candidate(wallet) for wallet in PlanWallet))


def usual(moved: int = 0, *, wallets: frozenset[PlanWallet] = frozenset(PlanWallet)) -> list[WalletCandidate]:
    """Make the three wallets with the default limits; each has moved these whole units today."""
    return [WalletCandidate(wallet, wallet in wallets, LIMITS.get(wallet), RawAmount(moved * WAD)) for wallet in PlanWallet]


def buy(usdt: int) -> PlannedCall:
    return PlannedCall(CONTROLLER, RebalancerFunction.PURCHASE, RawAmount(usdt * WAD))


def told(choice: WalletChoice) -> list[str]:
    return [rejected.describe(18) for rejected in choice.rejected_wallets]


def may_do(candidate: WalletCandidate, planned: list[PlannedCall], before: int) -> bool:
    """State the rule of eligibility independently of the code."""
    amount, allowed, limit = sum(call.amount for call in planned), ALLOWED_FUNCTIONS[candidate.wallet], candidate.limit
    return (
        candidate.is_configured
        and (allowed is None or all(call.contract is CONTROLLER and call.function in allowed for call in planned))
        and (limit is None or (before + amount < limit.per_plan and candidate.moved_in_24_hours + amount <= limit.per_day))
    )


@given(calls, candidates, amounts)
def test_chosen_wallet_is_the_smallest_eligible_one(
    planned: list[PlannedCall], wallets: tuple[WalletCandidate, ...], before: RawAmount
) -> None:
    choice = choose_wallet(planned, wallets, earlier_plan_amount=before)
    able = [candidate.wallet for candidate in wallets if may_do(candidate, planned, before)]
    assert choice.wallet is (able[0] if able else None)
    assert choice.plan_amount == before + choice.amount == before + sum(call.amount for call in planned)


@given(calls, candidates, amounts)
def test_every_rejected_wallet_has_all_of_its_reasons(
    planned: list[PlannedCall], wallets: tuple[WalletCandidate, ...], before: RawAmount
) -> None:
    choice = choose_wallet(planned, wallets, earlier_plan_amount=before)
    smaller = list(PlanWallet)[: list(PlanWallet).index(choice.wallet)] if choice.wallet else list(PlanWallet)
    assert [rejected.wallet for rejected in choice.rejected_wallets] == smaller
    for passed, wallet in zip(choice.rejected_wallets, wallets, strict=False):
        found = {reason.kind: reason for reason in passed.reasons}
        assert len(found) == len(passed.reasons) > 0
        allowed, limit, amount = ALLOWED_FUNCTIONS[wallet.wallet], wallet.limit, choice.amount
        assert (RejectionKind.NOT_CONFIGURED in found) == (not wallet.is_configured)
        forbidden = allowed is not None and not all(
            call.contract is CONTROLLER and call.function in allowed for call in planned
        )
        assert (RejectionKind.FUNCTION in found) == forbidden
        assert (RejectionKind.PLAN in found) == (limit is not None and before + amount >= limit.per_plan)
        assert (RejectionKind.DAY in found) == (limit is not None and wallet.moved_in_24_hours + amount > limit.per_day)
        for reason in passed.reasons:
            if reason.kind in (RejectionKind.PLAN, RejectionKind.DAY):
                assert reason.resulting_amount >= reason.limit
            assert reason.describe(18)


@given(calls, candidates, amounts, amounts, st.data())
def test_larger_amounts_never_need_a_smaller_wallet(
    planned: list[PlannedCall], wallets: tuple[WalletCandidate, ...], before: RawAmount, more: RawAmount, data: st.DataObject
) -> None:
    def size(choice: WalletChoice) -> int:
        return list(PlanWallet).index(choice.wallet) if choice.wallet else len(PlanWallet)

    place = data.draw(st.integers(0, len(planned) - 1))
    dearer = [*planned]
    dearer[place] = replace(planned[place], amount=RawAmount(planned[place].amount + more))
    least = size(choose_wallet(planned, wallets, earlier_plan_amount=before))
    assert size(choose_wallet(dearer, wallets, earlier_plan_amount=before)) >= least
    assert size(choose_wallet(planned, wallets, earlier_plan_amount=RawAmount(before + more))) >= least
    busier = [replace(candidate, moved_in_24_hours=RawAmount(candidate.moved_in_24_hours + more)) for candidate in wallets]
    assert size(choose_wallet(planned, busier, earlier_plan_amount=before)) >= least


@given(st.lists(amounts, min_size=1, max_size=4), candidates)
def test_splitting_a_plan_does_not_make_its_wallet_smaller(
    pieces: list[RawAmount], wallets: tuple[WalletCandidate, ...]
) -> None:
    """The last piece of a plan needs a wallet whose limit admits the whole plan."""
    *earlier, last = [PlannedCall(CONTROLLER, RebalancerFunction.PURCHASE, amount) for amount in pieces]
    choice = choose_wallet([last], wallets, earlier_plan_amount=RawAmount(sum(call.amount for call in earlier)))
    if choice.wallet is not None and (limit := wallets[list(PlanWallet).index(choice.wallet)].limit) is not None:
        assert sum(pieces) < limit.per_plan


@pytest.mark.parametrize(
    ("usdt", "moved", "wallet", "describe"),
    [
        (9_999, 0, PlanWallet.HOT, []),
        (10_000, 0, PlanWallet.WARM, ["hot: the plan moves 10 000, its plans stay below 10 000"]),
        (5_000, 495_000, PlanWallet.HOT, []),
        (5_001, 495_000, PlanWallet.WARM, ["hot: 500 001 of 500 000 allowed in 24 hours"]),
        (
            120_000,
            500_000,
            PlanWallet.COLD,
            [
                "hot: the plan moves 120 000, its plans stay below 10 000; 620 000 of 500 000 allowed in 24 hours",
                "warm: the plan moves 120 000, its plans stay below 100 000",
            ],
        ),
    ],
)
def test_wallet_follows_the_table_of_limits(usdt: int, moved: int, wallet: PlanWallet, describe: list[str]) -> None:
    choice = choose_wallet([buy(usdt)], usual(moved), earlier_plan_amount=RawAmount(0))
    assert (choice.wallet, told(choice)) == (wallet, describe)


def test_administrators_calls_need_the_cold_wallet() -> None:
    pause = PlannedCall(ContractName.VAULT, "pause", RawAmount(0))
    choice = choose_wallet([buy(1), pause, pause], usual(), earlier_plan_amount=RawAmount(0))
    assert choice.wallet is PlanWallet.COLD
    assert told(choice) == ["hot: may not call Vault.pause", "warm: may not call Vault.pause"]


def test_waterfall_and_otc_orders_need_the_warm_wallet() -> None:
    for function in sorted(frozenset(RebalancerFunction) - (ALLOWED_FUNCTIONS[PlanWallet.HOT] or frozenset())):
        choice = choose_wallet([PlannedCall(CONTROLLER, function, RawAmount(1))], usual(), earlier_plan_amount=RawAmount(0))
        assert (choice.wallet, told(choice)) == (PlanWallet.WARM, [f"hot: may not call AssetController.{function}"])


def test_no_wallet_is_chosen_when_none_is_configured() -> None:
    choice = choose_wallet([buy(10_000)], usual(wallets=frozenset({PlanWallet.HOT})), earlier_plan_amount=RawAmount(0))
    assert choice.wallet is None
    assert told(choice)[1:] == ["warm: it is not configured", "cold: it is not configured"]


@given(st.integers(0, 10**40), st.integers(0, 24))
@example(1_234_500_000_000_000_000_000, 18)
def test_amounts_are_formatted_exactly(amount: int, decimals: int) -> None:
    whole, _, part = format_whole_units(amount, decimals).replace(" ", "").partition(".")
    assert int(whole) * 10**decimals + int(part.ljust(decimals, "0") or "0") == amount
    assert not part.endswith("0")


def test_rejection_reason_is_described_for_people() -> None:
    reason = WalletRejectionReason(
        RejectionKind.DAY, resulting_amount=RawAmount(620_000 * WAD + WAD // 2), limit=RawAmount(500_000 * WAD)
    )
    assert reason.describe(18) == "620 000.5 of 500 000 allowed in 24 hours"
