"""Valuation of other deployments: reads that are absent, reads that fail, and how a fund that cannot be valued is seen."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from random import Random
from typing import Any, Final

import pytest
from sqlalchemy import select, text
from tests.support.api_client import ApiClient
from tests.support.chain.altered_contracts import (
    IMPLEMENTATION_SLOT,
    code_at,
    make_proxy,
    remove_functions,
    set_code,
    set_slot,
)
from tests.support.chain.fund import TestFund
from tests.support.chain.recording import record_all
from tests.support.database_roles import WITHOUT_TRIGGERS
from tests.support.prices import ANY_PRICE
from tests.support.scenarios.fund_activity import MATERIAL_THRESHOLD

from paimon.application.deployment.examine import examine_contracts
from paimon.application.nav.snapshots import SnapshotResult, take_snapshot
from paimon.application.reconciliation.reconcile import reconcile
from paimon.composition import AppContext
from paimon.domain.deployment.contract_facts import FunctionState
from paimon.domain.kernel.chain import ZERO_ADDRESS, Address, ContractName, checksum
from paimon.domain.risk.risk_event import RiskKind, RiskStatus, Severity
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.gateway.fund_documents import FundDocuments
from paimon.infrastructure.blockchain.contracts.deployment import read_deployment
from paimon.infrastructure.blockchain.contracts.reads import CallReverted
from paimon.infrastructure.blockchain.contracts.snapshot import read_snapshot
from paimon.infrastructure.database.models.ops.risk import RiskEventRow

pytestmark = pytest.mark.integration

ELSEWHERE: Final = Address(bytes.fromhex("e1" * 20))
_VAULT, _CONTROLLER = ContractName.VAULT, ContractName.ASSET_CONTROLLER
OPTIONAL: Final = (
    (_VAULT, "emergencyMode()"),
    (_VAULT, "paused()"),
    (ContractName.REDEMPTION_MANAGER, "paused()"),
    (_CONTROLLER, "paused()"),
    (_CONTROLLER, "getLayerConfigs()"),
    (_CONTROLLER, "getBufferPoolInfo()"),
    (_CONTROLLER, "getPendingFees()"),
    (_CONTROLLER, "accumulatedManagementFees()"),
    (_CONTROLLER, "accumulatedPerformanceFees()"),
    (_CONTROLLER, "otcManager()"),
)
"""Reads of a snapshot that a deployment may not have."""
REQUIRED: Final = (
    (_VAULT, "asset()"),
    (_VAULT, "totalSupply()"),
    (_VAULT, "totalLockedShares()"),
    (_VAULT, "totalRedemptionLiability()"),
    (_VAULT, "withdrawableRedemptionFees()"),
    (_VAULT, "getLiquidityBreakdown()"),
    (_VAULT, "totalAssets()"),
    (_VAULT, "sharePrice()"),
    (_CONTROLLER, "getAssetConfigs()"),
    (_CONTROLLER, "oracleAdapter()"),
)


@contextmanager
def without(app_context: AppContext, fund: TestFund, functions: list[tuple[ContractName, str]]) -> Iterator[None]:
    """Take functions out of the contracts, and put them back."""
    addresses = {contract: app_context.contracts.address(contract) for contract, _ in functions}
    codes = {contract: code_at(fund, address) for contract, address in addresses.items()}
    for contract, address in addresses.items():
        remove_functions(fund, address, [signature for of, signature in functions if of is contract])
    fund.wait_until_final()
    yield
    for contract, address in addresses.items():
        set_code(fund, address, codes[contract])


async def valued(app_context: AppContext) -> FundSnapshot:
    at = await app_context.chain.final_block(app_context.rpc)
    deployment = await read_deployment(app_context.contracts, at=at)
    return await read_snapshot(app_context.contracts, at=at, deployment=deployment)


async def test_fund_is_valued_without_any_subset_of_the_optional_reads(app_context: AppContext, fund: TestFund) -> None:
    fund.wait_until_final()
    whole = await valued(app_context)
    random = Random(18)
    subsets = (
        [[read] for read in OPTIONAL] + [random.sample(OPTIONAL, k=random.randint(2, 9)) for _ in range(6)] + [[*OPTIONAL]]
    )
    for subset in subsets:
        with without(app_context, fund, subset):
            found = await valued(app_context)
        assert (found.nav_per_share, found.net_assets, found.vault.gross_assets) == (
            whole.nav_per_share,
            whole.net_assets,
            whole.vault.gross_assets,
        ), subset
        assert (found.buffer is None) == ((_CONTROLLER, "getBufferPoolInfo()") in subset)
    assert not any((found.flags.emergency_mode, found.flags.vault_paused, found.fees.pending_management, found.in_transit))
    assert all((limits.minimum, limits.maximum) == (0, 10_000) for limits in found.tier_limits)


async def test_each_required_read_that_is_absent_is_named(app_context: AppContext, fund: TestFund) -> None:
    for contract, signature in REQUIRED:
        with without(app_context, fund, [(contract, signature)]):
            with pytest.raises(CallReverted) as raised:
                await valued(app_context)
            assert raised.value.read == f"{signature[:-2]} at {checksum(app_context.contracts.address(contract))}"


async def test_read_that_the_contract_has_and_that_fails_is_never_taken_as_absent(
    app_context: AppContext, fund: TestFund
) -> None:
    controller = app_context.contracts.address(_CONTROLLER)
    code = code_at(fund, controller)
    for contract, signature in OPTIONAL:
        if contract is not _CONTROLLER:
            continue
        make_proxy(fund, controller, ELSEWHERE, failing=[signature])
        fund.wait_until_final()
        at = await app_context.chain.final_block(app_context.rpc)
        deployment = await read_deployment(app_context.contracts, at=at)
        assert deployment.state(contract, signature) is FunctionState.REVERTS
        with pytest.raises(CallReverted) as raised:
            await read_snapshot(app_context.contracts, at=at, deployment=deployment)
        assert raised.value.read == f"{signature[:-2]} at {checksum(controller)}"
        set_code(fund, controller, code)
        set_slot(fund, controller, IMPLEMENTATION_SLOT, ZERO_ADDRESS)


async def test_reconciliation_compares_what_the_deployment_can_show(app_context: AppContext, fund: TestFund) -> None:
    await record_all(app_context, fund)
    whole = await reconcile(app_context.database, app_context.contracts)
    with without(app_context, fund, [*OPTIONAL]):
        await record_all(app_context, fund)
        assert await examine_contracts(app_context.database, app_context.contracts) is not None
        found = await reconcile(app_context.database, app_context.contracts)
    assert (whole.discrepancies, found.discrepancies) == ((), ())
    assert found.figures_compared < whole.figures_compared


async def snapshot_now(app_context: AppContext) -> SnapshotResult | None:
    return await take_snapshot(
        app_context.database,
        app_context.contracts,
        FundDocuments(app_context.database, app_context.redis),
        material_threshold=MATERIAL_THRESHOLD,
        prices=ANY_PRICE,
    )


async def failures(app_context: AppContext) -> list[RiskEventRow]:
    async with app_context.database.read() as session:
        query = select(RiskEventRow).where(RiskEventRow.kind == RiskKind.VALUATION_FAILED).order_by(RiskEventRow.id)
        return list(await session.scalars(query))


async def health_of_valuation(api_client: ApiClient) -> dict[str, object]:
    components = (await api_client.get("/system/health")).json()["data"]["components"]
    return next(component for component in components if component["name"] == "valuation")


async def test_fund_that_cannot_be_valued_is_seen_until_a_snapshot_succeeds(
    app_context: AppContext, fund: TestFund, api_client: ApiClient
) -> None:
    vault = fund.addresses.vault
    code = code_at(fund, vault)
    make_proxy(fund, vault, ELSEWHERE, failing=["totalLockedShares()"])
    await record_all(app_context, fund)
    for _ in range(2):
        with pytest.raises(CallReverted):
            await snapshot_now(app_context)
    (event,) = await failures(app_context)
    read = f"totalLockedShares at {checksum(vault)}: reverted without a reason"
    assert (event.observed, event.severity, event.status) == (read, Severity.WARNING, RiskStatus.OPEN)
    seen = await health_of_valuation(api_client)
    assert (seen["status"], seen["summary"]) == ("DEGRADED", f"the fund cannot be valued: {read}")
    for path in ("/fund/overview", "/fund/liquidity/layers", "/prices"):
        answer = await api_client.get(path)
        assert (answer.status_code, answer.json()["error"]["message"]) == (503, f"the fund cannot be valued: {read}"), path

    async with app_context.database.write() as session:
        await session.execute(WITHOUT_TRIGGERS)
        await session.execute(text("UPDATE ops.risk_events SET first_seen_at = first_seen_at - interval '6 minutes'"))
    with pytest.raises(CallReverted):
        await snapshot_now(app_context)
    (event,) = await failures(app_context)
    assert event.severity is Severity.CRITICAL

    set_code(fund, vault, code)
    await record_all(app_context, fund)
    assert await snapshot_now(app_context) is not None
    (event,) = await failures(app_context)
    assert event.status is RiskStatus.RESOLVED
    assert (await api_client.get("/fund/overview")).status_code == 200


async def test_health_shows_a_snapshot_and_a_comparison_that_are_too_old(
    app_context: AppContext, fund: TestFund, api_client: ApiClient, eventually: Callable[..., Any]
) -> None:
    """The report is cached for a second, so each state is waited for."""

    async def shows(status: str, summary: str) -> bool:
        seen = await health_of_valuation(api_client)
        return seen["status"] == status and re.fullmatch(summary, str(seen["summary"])) is not None

    await record_all(app_context, fund)
    await eventually(partial(shows, "OK", "no snapshot yet"))
    result = await snapshot_now(app_context)
    assert result is not None
    await reconcile(app_context.database, app_context.contracts)
    await eventually(partial(shows, "OK", f"the last snapshot is of block {result.snapshot.at.number}"))
    async with app_context.database.write() as session:
        await session.execute(text("UPDATE derived.cursor SET timestamp = timestamp + interval '601 s'"))
        await session.execute(WITHOUT_TRIGGERS)
        await session.execute(text("UPDATE ops.reconciliations SET checked_at = checked_at - interval '3 hours'"))
    late = r"the last snapshot is 601 s old; the last comparison with the chain is 108\d\d s old"
    await eventually(partial(shows, "DEGRADED", late))
