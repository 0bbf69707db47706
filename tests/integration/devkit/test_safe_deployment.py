"""The demo's Safes are real ones of its people, with the roles that their plans need."""

from typing import Any

import pytest
from eth_utils.crypto import keccak
from tests.support.chain.fund import TestFund
from tests.support.chain.safes import SAFE_ABI
from tests.support.paths import CONTRACTS

from paimon.domain.kernel.chain import checksum, hex0x, parse_address
from paimon.domain.transaction.safe_transaction import MULTI_SEND
from paimon_devkit.stack.accounts import ADMIN, SAFE_OWNERS
from paimon_devkit.stack.chain_session import ChainSession
from paimon_devkit.stack.errors import ServerUnavailable
from paimon_devkit.stack.safe_deployment import SafeDeployment, deploy_safes

pytestmark = pytest.mark.integration

ARTIFACTS = CONTRACTS / "artifacts"


def deploy(fund: TestFund) -> SafeDeployment:
    return deploy_safes(
        fund.node.http_url,
        deployer=fund.accounts.account(ADMIN),
        owners=fund.accounts.safe_owners(),
        asset_controller=fund.deployment.asset_controller,
        artifacts=ARTIFACTS,
    )


def test_safes_have_the_demos_people_as_owners_and_their_roles(fund: TestFund) -> None:
    safes = deploy(fund)

    def read(safe: str, function: str) -> Any:
        answer = fund.node.rpc.call("eth_call", {"to": safe, "data": hex0x(SAFE_ABI.encode_call(function))}, "latest")
        return SAFE_ABI.decode_result(function, bytes.fromhex(answer[2:]))

    for name, threshold in (("warm", 2), ("cold", 3)):
        safe = getattr(safes, name)
        owners = [parse_address(fund.accounts.address(person)) for person in SAFE_OWNERS[name]]
        assert (read(safe, "getThreshold"), read(safe, "VERSION")) == (threshold, "1.4.1")
        assert list(read(safe, "getOwners")) == owners
    with ChainSession(fund.node.http_url, ARTIFACTS) as chain:
        held = {
            (name, role): chain.read(
                "AssetController", fund.deployment.asset_controller, "hasRole", keccak(text=role), getattr(safes, name)
            )
            for name in ("warm", "cold")
            for role in ("REBALANCER_ROLE", "ADMIN_ROLE")
        }
    assert [key for key, is_held in held.items() if not is_held] == [("warm", "ADMIN_ROLE")]
    assert len(fund.node.rpc.call("eth_getCode", checksum(MULTI_SEND), "latest")) > 100
    assert SafeDeployment.from_json(safes.to_json()) == safes


def test_missing_package_names_the_command_to_run(fund: TestFund, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(ServerUnavailable, match=r"pip install paimon\[demo\]"):
        deploy(fund)
