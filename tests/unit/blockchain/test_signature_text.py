"""Signatures as text: the same items as a compiler's ABI, and a clear refusal of anything else."""

import json
from typing import Any

import pytest
from tests.support.paths import CONTRACTS

from paimon.infrastructure.blockchain.abi.contract_abi import ContractAbi, load_abi
from paimon.infrastructure.blockchain.abi.later_deployments import LATER
from paimon.infrastructure.blockchain.abi.signature_text import InvalidSignature, abi_item

pytestmark = pytest.mark.unit

COMPILED = [
    item
    for path in sorted((CONTRACTS / "artifacts").glob("*.json"))
    for item in json.loads(path.read_text())["abi"]
    if item["type"] in ("event", "error") or item.get("stateMutability") == "view"
]


def written(item: dict[str, Any]) -> str:
    def parameter(each: dict[str, Any]) -> str:
        kind = each["type"]
        if kind.startswith("tuple"):
            kind = f"({', '.join(map(parameter, each['components']))}){kind.removeprefix('tuple')}"
        return " ".join(filter(None, (kind, "indexed" if each.get("indexed") else "", each["name"])))

    def parameters(each: list[dict[str, Any]]) -> str:
        return f"({', '.join(map(parameter, each))})"

    returns = f" returns {parameters(item['outputs'])}" if item["type"] == "function" else ""
    return f"{item['type']} {item['name']}{parameters(item['inputs'])}{returns}"


def test_text_of_every_compiled_item_reads_as_that_item() -> None:
    from_text, compiled = ContractAbi([abi_item(written(item)) for item in COMPILED]), ContractAbi(COMPILED)
    assert from_text.functions == compiled.functions
    assert from_text.events_by_topic == compiled.events_by_topic
    assert from_text.errors_by_selector == compiled.errors_by_selector


@pytest.mark.parametrize(
    "text",
    [
        "event Broken(uint256",
        "event Broken(uint)256 a",
        "modifier onlyOwner()",
        "event Broken(strange a)",
        "function broken(uint256 a) returns uint256",
        "",
    ],
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidSignature):
        abi_item(text)


def test_later_deployments_add_only_what_is_read() -> None:
    for contract, signatures in LATER.items():
        for signature in signatures:
            item = abi_item(signature)
            assert item["type"] != "function" or load_abi(contract).functions[item["name"]].is_read, signature


@pytest.mark.parametrize(
    ("contract", "error", "selector"),
    [
        ("RedemptionManager", "CancellationDisabled", "7981b69f"),
        ("RedemptionManager", "NotVoucherOwner", "c77e8771"),
        ("RedemptionManager", "EmergencyQuotaExceeded", "ccd8a128"),
        ("RedemptionManager", "InvalidSettlementTime", "f1af93eb"),
    ],
)
def test_errors_have_the_selectors_seen_on_chain(contract: str, error: str, selector: str) -> None:
    assert load_abi(contract).errors_by_selector[bytes.fromhex(selector)].name == error
