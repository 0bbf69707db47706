"""Capabilities: present with all their functions and with nothing less, and each absence says what it switches off."""

from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.factories.strategies import address, stamp

from paimon.domain.deployment.capability import CAPABILITIES, Capability, expected_functions
from paimon.domain.deployment.contract_facts import NO_CODE, ContractFacts, Deployment, FunctionState
from paimon.domain.kernel.chain import ContractName, Hash32
from paimon.domain.transaction.wallet_selection import RebalancerFunction

pytestmark = pytest.mark.unit

CONTRACTS: Final = (ContractName.VAULT, ContractName.REDEMPTION_MANAGER, ContractName.ASSET_CONTROLLER)
FUNCTIONS: Final = [(contract, signature) for contract in CONTRACTS for signature in expected_functions(contract)]
FUNCTION: Final = st.sampled_from(FUNCTIONS)


def deployment(states: dict[tuple[ContractName, str], FunctionState]) -> Deployment:
    return Deployment(
        stamp(9),
        tuple(
            ContractFacts(
                contract,
                address(number),
                Hash32(bytes([number]) * 32),
                None,
                None,
                {name: states.get((contract, name), FunctionState.PRESENT) for name in expected_functions(contract)},
            )
            for number, contract in enumerate(CONTRACTS, start=1)
        ),
    )


def needs(capability: Capability, function: tuple[ContractName, str]) -> bool:
    contract, signature = function
    return signature in CAPABILITIES[capability].functions.get(contract, ())


def test_every_capability_has_a_rule_with_functions() -> None:
    assert CAPABILITIES.keys() == set(Capability)
    assert all(functions for rule in CAPABILITIES.values() for functions in rule.functions.values())
    assert [capability for capability, rule in CAPABILITIES.items() if rule.is_required] == [Capability.VALUATION]


@given(st.dictionaries(FUNCTION, st.sampled_from([state for state in FunctionState if state is not FunctionState.PRESENT])))
def test_subset_of_functions_switches_off_exactly_the_capabilities_that_need_them(
    states: dict[tuple[ContractName, str], FunctionState],
) -> None:
    found = deployment(states)
    for each in found.capabilities:
        lacking = {function for function in states if needs(each.capability, function)}
        assert {(function.contract, function.signature) for function in each.missing} == lacking
        assert found.has(each.capability) == each.is_present == (not lacking)
        assert (each.switched_off is None) == each.is_present
    assert set(found.absent) == {each for each in found.capabilities if not each.is_present}


def test_contract_that_was_not_examined_has_nothing() -> None:
    found = replace(deployment({}), contracts=deployment({}).contracts[:1])
    assert found.has(Capability.EMERGENCY_MODE)
    assert not found.has(Capability.SETTLEMENT)
    assert found.state(ContractName.ASSET_CONTROLLER, "refreshCache()") is FunctionState.UNKNOWN


def test_disabled_function_is_there_and_its_capability_is_not() -> None:
    found = deployment({})
    disabled = tuple(
        replace(facts, errors=frozenset({"CancellationDisabled()"})) if facts.contract is CONTRACTS[1] else facts
        for facts in found.contracts
    )
    found = replace(found, contracts=disabled)
    assert not found.has(Capability.CANCELLATION)
    assert found.examine(Capability.CANCELLATION).missing == ()
    assert [each.capability for each in found.absent] == [Capability.CANCELLATION]


def test_identity_is_the_code_and_the_proxy_and_not_the_answers() -> None:
    (vault, *_) = deployment({}).contracts
    (failing, *_) = deployment({(CONTRACTS[0], "totalAssets()"): FunctionState.REVERTS}).contracts
    assert failing.identity == vault.identity
    assert failing.function_changes(vault) == ("totalAssets() present → reverts",)
    for other in (
        replace(vault, code_hash=Hash32(bytes(32))),
        replace(vault, implementation=address(77)),
        replace(vault, admin=address(77)),
    ):
        assert other.identity != vault.identity
        assert other.function_changes(vault) == ()


def test_deployment_without_code_somewhere_is_not_deployed() -> None:
    found = deployment({})
    assert found.is_deployed
    empty = (replace(found.contracts[0], code_hash=NO_CODE), *found.contracts[1:])
    assert not replace(found, contracts=empty).is_deployed


@pytest.mark.parametrize("function", RebalancerFunction)
def test_every_function_that_plans_money_is_looked_for(function: RebalancerFunction) -> None:
    """Otherwise a plan with a call that the deployment lacks is not refused."""
    assert any(signature.startswith(f"{function.value}(") for signature in expected_functions(ContractName.ASSET_CONTROLLER))
