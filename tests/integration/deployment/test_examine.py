"""Examine contracts on a real chain: the fund as it is, without functions, behind proxies, upgraded, and overtaken."""

import pytest
from eth_utils.crypto import keccak
from sqlalchemy import select, update
from tests.support.api_client import ApiClient, require_example
from tests.support.chain.altered_contracts import (
    ADMIN_SLOT,
    BEACON_SLOT,
    IMPLEMENTATION_SLOT,
    code_at,
    make_proxy,
    proxy_code,
    remove_functions,
    selector,
    set_code,
    set_slot,
)
from tests.support.chain.fund import TestFund
from tests.support.chain.recording import record_all
from tests.support.database_roles import acting_as

from paimon.application.common.chain_position import chain_position
from paimon.application.deployment.examine import examine_contracts
from paimon.application.deployment.queries import list_unknown_logs
from paimon.application.deployment.store import find_deployment
from paimon.composition import AppContext
from paimon.domain.deployment.capability import CAPABILITIES, Capability
from paimon.domain.deployment.contract_facts import ContractFacts, Deployment, FunctionState
from paimon.domain.kernel.chain import Address, ContractName, checksum
from paimon.domain.risk.risk_event import RiskKind, Severity
from paimon.infrastructure.blockchain.contracts.deployment import read_deployment
from paimon.infrastructure.database.models.ops.contract_facts import ContractFactsRow
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.rights.roles import DatabaseRole

pytestmark = pytest.mark.integration

ELSEWHERE = Address(bytes.fromhex("e1" * 20))
OTHER = Address(bytes.fromhex("e2" * 20))
LATER = {
    Capability.PENDING_VALUE,
    Capability.KEEPER_APPROVES,
    Capability.VOUCHERS,
    Capability.CUSTOM_DATES,
    Capability.LIABILITY_BY_DAY,
    Capability.REDEMPTION_QUOTAS,
    Capability.KEEPER_WORK,
    Capability.REDEMPTION_FEE_WITHDRAWAL_TO,
    Capability.PURCHASES_FROM_TOKEN,
    Capability.DELAYED_SETTLEMENT,
}
"""What only later deployments have."""


def topic_of(signature: str) -> bytes:
    return bytes(keccak(text=signature))


async def examine(app_context: AppContext, fund: TestFund) -> Deployment:
    """Record everything, then examine with the worker's rights."""
    await record_all(app_context, fund)
    async with acting_as(DatabaseRole.WORKER, app_context.database) as database:
        found = await examine_contracts(database, app_context.contracts)
    assert found is not None
    return found


def vault_of(deployment: Deployment) -> ContractFacts:
    facts = deployment.find(ContractName.VAULT)
    assert facts is not None
    return facts


async def changes(app_context: AppContext) -> list[RiskEventRow]:
    async with app_context.database.read() as session:
        return list(
            await session.scalars(
                select(RiskEventRow).where(RiskEventRow.kind == RiskKind.CONTRACT_CHANGED).order_by(RiskEventRow.id)
            )
        )


async def test_test_fund_has_every_capability_but_the_later_ones(app_context: AppContext, fund: TestFund) -> None:
    found = await examine(app_context, fund)
    assert {each.capability for each in found.absent} == LATER
    for facts in found.contracts:
        assert set(facts.functions.values()) <= {FunctionState.PRESENT, FunctionState.ABSENT}
        assert facts.unknown_selectors == ()
        assert not facts.is_proxy
    async with app_context.database.read() as session:
        assert await find_deployment(session) == found
        assert found.at == await chain_position(session)


async def test_function_that_the_code_lacks_is_absent_and_says_what_it_switches_off(
    app_context: AppContext, fund: TestFund
) -> None:
    remove_functions(fund, fund.addresses.vault, ["emergencyMode()", "setEmergencyMode(bool)"])
    remove_functions(fund, fund.addresses.asset_controller, ["getAssetConfigs()", "allocateToLayer(uint8,uint256)"])
    found = await examine(app_context, fund)
    absent = {each.capability: each for each in found.absent if each.capability not in LATER}
    assert set(absent) == {Capability.EMERGENCY_MODE, Capability.TIER_ALLOCATION, Capability.VALUATION}
    assert list(map(str, absent[Capability.VALUATION].missing)) == ["AssetController.getAssetConfigs() (absent)"]
    assert absent[Capability.VALUATION].switched_off == CAPABILITIES[Capability.VALUATION].switched_off
    assert found.state(ContractName.VAULT, "emergencyMode()") is FunctionState.ABSENT
    assert vault_of(found).unknown_selectors == (bytes.fromhex("deadbeef"),)


@pytest.mark.parametrize("slot", ["implementation", "beacon"])
async def test_functions_of_a_proxy_are_those_of_its_implementation(app_context: AppContext, fund: TestFund, slot: str) -> None:
    vault = fund.addresses.vault
    make_proxy(fund, vault, ELSEWHERE, failing=["totalAssets()"])
    set_slot(fund, vault, ADMIN_SLOT, OTHER)
    if slot == "beacon":
        set_slot(fund, vault, IMPLEMENTATION_SLOT, Address(bytes(20)))
        set_slot(fund, vault, BEACON_SLOT, OTHER)
        set_code(fund, OTHER, bytes.fromhex("73") + ELSEWHERE + bytes.fromhex("5f5260205ff3"))
    found = await examine(app_context, fund)
    facts = vault_of(found)
    assert (facts.implementation, facts.admin) == (ELSEWHERE, OTHER)
    assert facts.state("totalAssets()") is FunctionState.REVERTS
    assert facts.state("totalSupply()") is FunctionState.PRESENT
    assert facts.state("setEmergencyMode(bool)") is FunctionState.PRESENT
    missing = found.examine(Capability.CONTRACT_FIGURES).missing
    assert list(map(str, missing)) == ["Vault.totalAssets() (reverts)"]


async def test_code_that_shows_no_functions_is_asked_and_the_rest_is_unknown(app_context: AppContext, fund: TestFund) -> None:
    vault = fund.addresses.vault
    set_code(fund, ELSEWHERE, code_at(fund, vault))
    set_code(fund, vault, proxy_code(ELSEWHERE))  # its target is in no slot that is known
    facts = vault_of(await examine(app_context, fund))
    assert facts.state("totalAssets()") is FunctionState.PRESENT
    assert facts.state("setEmergencyMode(bool)") is FunctionState.UNKNOWN
    assert facts.state("lockedMintAssets()") is FunctionState.UNKNOWN  # it reverts, as one that fails would
    assert facts.unknown_selectors == ()


async def test_error_that_disables_a_function_switches_its_capability_off(app_context: AppContext, fund: TestFund) -> None:
    manager = fund.addresses.redemption_manager
    set_code(fund, manager, code_at(fund, manager) + b"\x63" + selector("CancellationDisabled()"))
    found = await examine(app_context, fund)
    assert found.state(ContractName.REDEMPTION_MANAGER, "cancelRedemption(uint256)") is FunctionState.PRESENT
    assert not found.has(Capability.CANCELLATION)


async def test_facts_are_extended_until_they_change_and_a_change_is_critical(app_context: AppContext, fund: TestFund) -> None:
    first = await examine(app_context, fund)
    second = await examine(app_context, fund)
    assert await changes(app_context) == []
    vault = fund.addresses.vault
    make_proxy(fund, vault, ELSEWHERE)
    third = await examine(app_context, fund)
    set_code(fund, OTHER, code_at(fund, ELSEWHERE))
    remove_functions(fund, OTHER, ["emergencyWithdraw(address,address,uint256)"])
    set_slot(fund, vault, IMPLEMENTATION_SLOT, OTHER)
    set_code(fund, vault, proxy_code(OTHER))
    await examine(app_context, fund)
    to_proxy, upgraded = await changes(app_context)
    assert {to_proxy.severity, upgraded.severity} == {Severity.CRITICAL}
    assert to_proxy.subject == f"Vault {checksum(vault)} at block {third.at.number}"
    assert checksum(ELSEWHERE) in to_proxy.observed
    assert checksum(ELSEWHERE) in upgraded.expected
    assert upgraded.observed.endswith("; emergencyWithdraw(address,address,uint256) present → absent")
    async with app_context.database.read() as session:
        rows = list(await session.scalars(select(ContractFactsRow).where(ContractFactsRow.contract == ContractName.VAULT)))
    kept, *_ = sorted(rows, key=lambda row: row.id)
    assert (kept.block_number, kept.last_block_number) == (first.at.number, second.at.number)
    assert len(rows) == 3


async def fingerprint(app_context: AppContext, fund: TestFund) -> list[tuple[str, str]]:
    """Examine, and return the subject's contract and what was observed of each change so far."""
    await examine(app_context, fund)
    return [(change.subject.split()[0], change.observed.split(";")[0]) for change in await changes(app_context)]


@pytest.mark.parametrize("gone", ["code", "implementation"])
async def test_code_that_is_gone_is_a_change_and_hides_no_later_change_of_another(
    app_context: AppContext, fund: TestFund, gone: str
) -> None:
    manager, vault = fund.addresses.redemption_manager, fund.addresses.vault
    await examine(app_context, fund)
    code = code_at(fund, manager)
    if gone == "implementation":
        set_slot(fund, manager, IMPLEMENTATION_SLOT, OTHER)
        observed = f"no code of the implementation {checksum(OTHER)}"
    else:
        set_code(fund, manager, b"")
        observed = "no code"
    first = ("RedemptionManager", observed)
    assert await fingerprint(app_context, fund) == [first]
    assert await fingerprint(app_context, fund) == [first]
    set_code(fund, vault, code_at(fund, vault) + b"\x00")
    assert [contract for contract, _ in await fingerprint(app_context, fund)] == ["RedemptionManager", "Vault"]
    set_slot(fund, manager, IMPLEMENTATION_SLOT, Address(bytes(20)))
    set_code(fund, manager, code)
    back = await fingerprint(app_context, fund)
    assert [contract for contract, _ in back] == ["RedemptionManager", "Vault", "RedemptionManager"]


@pytest.mark.parametrize("hostile", ["answers of no kind", "a beacon that reverts", "a beacon that answers no word"])
async def test_changed_contract_whose_answers_fail_is_a_change(app_context: AppContext, fund: TestFund, hostile: str) -> None:
    vault = fund.addresses.vault
    await examine(app_context, fund)
    if hostile == "answers of no kind":
        set_code(fund, vault, b"\xfe")  # INVALID: the node's error is none of a revert
    else:
        set_code(fund, OTHER, bytes.fromhex("5f5ffd" if "reverts" in hostile else "60055ff3"))
        set_slot(fund, vault, BEACON_SLOT, OTHER)
        set_code(fund, vault, proxy_code(ELSEWHERE))
    ((contract, observed),) = await fingerprint(app_context, fund)
    assert (contract, observed.startswith("code 0x")) == ("Vault", True)


async def test_read_that_fails_for_a_while_is_no_change_of_the_contract(app_context: AppContext, fund: TestFund) -> None:
    make_proxy(fund, fund.addresses.vault, ELSEWHERE)
    before = await examine(app_context, fund)
    oracle = fund.deployment.oracle_adapter
    code = fund.node.rpc.call("eth_getCode", oracle, "latest")
    fund.node.rpc.call("anvil_setCode", oracle, "0xfe")
    now = await examine(app_context, fund)
    assert (before.has(Capability.CONTRACT_FIGURES), now.has(Capability.CONTRACT_FIGURES)) == (True, False)
    assert await changes(app_context) == []
    fund.node.rpc.call("anvil_setCode", oracle, code)


async def test_examination_of_an_earlier_block_does_not_replace_a_later_one(app_context: AppContext, fund: TestFund) -> None:
    await examine(app_context, fund)
    async with app_context.database.write() as session:
        await session.execute(update(ContractFactsRow).values(last_block_number=ContractFactsRow.last_block_number + 10))
    async with app_context.database.read() as session:
        later = await find_deployment(session)
    assert await examine_contracts(app_context.database, app_context.contracts) is None
    async with app_context.database.read() as session:
        assert await find_deployment(session) == later


async def test_addresses_without_code_are_not_deployed(app_context: AppContext, fund: TestFund) -> None:
    await record_all(app_context, fund)
    set_code(fund, fund.addresses.vault, b"")
    fund.wait_until_final()
    at = await app_context.chain.final_block(app_context.rpc)
    assert not (await read_deployment(app_context.contracts, at=at)).is_deployed


async def test_upgrade_event_makes_an_examination_due_and_unknown_logs_are_counted(
    app_context: AppContext, fund: TestFund, api_client: ApiClient
) -> None:
    refused = await api_client.get("/system/contracts")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
    vault = fund.addresses.vault
    code = code_at(fund, vault)
    for topic in (*map(topic_of, ("Upgraded(address)", "OwnershipTransferred(address,address)")), bytes(32)):
        set_code(fund, vault, log_code(topic))
        fund.node.rpc.call("eth_sendTransaction", {"from": fund.accounts.address("ivan"), "to": checksum(vault)})
        fund.mine(1)
    set_code(fund, vault, code)
    await examine(app_context, fund)
    async with app_context.database.read() as session:
        messages = list(await session.scalars(select(OutboxMessageRow).where(OutboxMessageRow.kind == "contracts")))
        logs = await list_unknown_logs(session, app_context.contracts.abis)
    assert [message.payload["events"] for message in messages] == [["Upgraded"]]
    assert sorted((each.signature or "?", each.count) for each in logs) == [
        ("?", 1),
        ("OwnershipTransferred(address,address)", 1),
    ]
    answer = await api_client.get("/system/contracts")
    require_example(answer, "contracts")
    data = answer.json()["data"]
    assert {log["signature"] for log in data["unknownLogs"]} == {None, "OwnershipTransferred(address,address)"}
    assert {each["capability"] for each in data["capabilities"] if not each["isPresent"]} == set(LATER)


def log_code(topic: bytes) -> bytes:
    """Return code that logs a topic, with zero as its one indexed argument."""
    return bytes.fromhex("5f7f") + topic + bytes.fromhex("5f5fa200")
