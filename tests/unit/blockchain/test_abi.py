"""The shipped ABIs: calls, results and logs decode to what was encoded, and invalid bytes are rejected."""

from dataclasses import MISSING, fields
from typing import Any, Final

import pytest
from eth_abi.abi import encode
from eth_abi.exceptions import DecodingError
from eth_abi.grammar import BasicType, TupleType, parse
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.events import EVENT_TYPES, AssetAdded, typed_event
from paimon.domain.kernel.chain import Address, ContractName
from paimon.infrastructure.blockchain.abi.contract_abi import (
    AbiEntry,
    ContractAbi,
    Parameter,
    UndecodableLog,
    UnknownCall,
    load_abi,
    to_json_value,
)

pytestmark = pytest.mark.unit

SHIPPED: Final = (
    "Vault",
    "RedemptionManager",
    "AssetController",
    "AssetScheduler",
    "OTCManager",
    "OracleAdapter",
    "SwapHelper",
    "ERC20",
    "Safe",
)
FUNCTIONS: Final = [(name, entry) for name in SHIPPED for entry in load_abi(name).functions_by_selector.values()]
EVENTS: Final = [(name, entry) for name in SHIPPED for entry in load_abi(name).events_by_topic.values()]
ERRORS: Final = [(name, entry) for name in SHIPPED for entry in load_abi(name).errors_by_selector.values()]


def values_of(kind: str) -> st.SearchStrategy[Any]:
    """Return a strategy of Python values of one ABI type, as the decoder returns them."""
    return _values_of(parse(kind))


def _values_of(kind: Any) -> st.SearchStrategy[Any]:
    if kind.is_array:
        return st.lists(_values_of(kind.item_type), max_size=3)
    if isinstance(kind, TupleType):
        return st.tuples(*(_values_of(component) for component in kind.components))
    assert isinstance(kind, BasicType)
    match kind.base:
        case "uint":
            return st.integers(0, 2**kind.sub - 1)
        case "int":
            return st.integers(-(2 ** (kind.sub - 1)), 2 ** (kind.sub - 1) - 1)
        case "address":
            return st.binary(min_size=20, max_size=20)
        case "bool":
            return st.booleans()
        case "string":
            return st.text(max_size=40)
        case "bytes":
            return st.binary(min_size=kind.sub, max_size=kind.sub) if kind.sub else st.binary(max_size=70)
    raise AssertionError(f"the tests know no values of type {kind.base}")


def draw_values(data: st.DataObject, parameters: tuple[Parameter, ...] | list[Parameter]) -> list[Any]:
    return [data.draw(values_of(parameter.type)) for parameter in parameters]


def bare(value: Any) -> Any:
    """Return a decoded value without its names, to compare it with the encoded one."""
    if isinstance(value, dict):
        return tuple(bare(entry) for entry in value.values())
    return [bare(entry) for entry in value] if isinstance(value, list) else value


def abi_and(entry: tuple[str, AbiEntry]) -> tuple[ContractAbi, AbiEntry]:
    return load_abi(entry[0]), entry[1]


@given(st.sampled_from(FUNCTIONS), st.data())
def test_call_decodes_to_what_was_encoded(function: tuple[str, AbiEntry], data: st.DataObject) -> None:
    abi, entry = abi_and(function)
    values = draw_values(data, entry.inputs)
    name, args = abi.decode_call(abi.encode_call(entry.signature, *values))
    assert name == entry.name
    assert [bare(value) for value in args.values()] == values


@given(st.sampled_from(FUNCTIONS), st.data())
def test_result_decodes_to_what_was_encoded(function: tuple[str, AbiEntry], data: st.DataObject) -> None:
    abi, entry = abi_and(function)
    values = draw_values(data, entry.outputs)
    result = abi.decode_result(entry.signature, encode([parameter.type for parameter in entry.outputs], values))
    assert bare(result) == (values[0] if len(values) == 1 else tuple(values))


@given(st.sampled_from(FUNCTIONS), st.binary(min_size=1, max_size=64), st.data())
def test_call_with_trailing_bytes_is_rejected(function: tuple[str, AbiEntry], trailing: bytes, data: st.DataObject) -> None:
    abi, entry = abi_and(function)
    call = abi.encode_call(entry.signature, *draw_values(data, entry.inputs))
    with pytest.raises(UnknownCall, match=entry.name):
        abi.decode_call(call + trailing)


@given(st.sampled_from(FUNCTIONS), st.binary(max_size=200))
def test_any_bytes_are_a_round_tripping_call_or_rejected(function: tuple[str, AbiEntry], tail: bytes) -> None:
    abi, entry = abi_and(function)
    data = entry.selector + tail
    try:
        name, args = abi.decode_call(data)
    except UnknownCall:
        return
    assert name == entry.name
    assert abi.encode_call(entry.signature, *(bare(value) for value in args.values())) == data


def test_call_with_unknown_selector_is_rejected() -> None:
    with pytest.raises(UnknownCall, match="0xdeadbeef"):
        load_abi("Vault").decode_call(bytes.fromhex("deadbeef"))


def log_of(entry: AbiEntry, data: st.DataObject) -> tuple[list[bytes], bytes, dict[str, Any]]:
    """Draw topics, data and arguments of one log. (No shipped event indexes an argument longer than a word.)"""
    indexed = [parameter for parameter in entry.inputs if parameter.indexed]
    unindexed = [parameter for parameter in entry.inputs if not parameter.indexed]
    in_topics, in_data = draw_values(data, indexed), draw_values(data, unindexed)
    topics = [encode([parameter.type], [value]) for parameter, value in zip(indexed, in_topics, strict=True)]
    names = [parameter.name for parameter in indexed] + [parameter.name for parameter in unindexed]
    args = dict(zip(names, in_topics + in_data, strict=True))
    return [entry.topic, *topics], encode([parameter.type for parameter in unindexed], in_data), args


@given(st.sampled_from(EVENTS), st.data())
def test_log_decodes_to_what_was_encoded(event: tuple[str, AbiEntry], data: st.DataObject) -> None:
    abi, entry = abi_and(event)
    topics, payload, args = log_of(entry, data)
    assert abi.decode_log(topics, payload) == (entry.name, args)
    assert list(args) != [] or entry.inputs == ()


@given(st.sampled_from(EVENTS), st.integers(0, 4), st.data())
def test_log_with_wrong_topic_count_is_undecodable(event: tuple[str, AbiEntry], extra: int, data: st.DataObject) -> None:
    abi, entry = abi_and(event)
    topics, payload, _ = log_of(entry, data)
    wrong = [entry.topic, *[bytes(32)] * extra]
    if len(wrong) != len(topics):
        with pytest.raises(UndecodableLog, match=f"{entry.name} has {len(topics) - 1} indexed arguments, the log {extra}"):
            abi.decode_log(wrong, payload)


@given(st.sampled_from(EVENTS), st.lists(st.binary(min_size=32, max_size=32), max_size=3), st.binary(max_size=200))
def test_any_log_of_a_known_event_decodes_or_is_undecodable(
    event: tuple[str, AbiEntry], topics: list[bytes], payload: bytes
) -> None:
    abi, entry = abi_and(event)
    try:
        found = abi.decode_log([entry.topic, *topics], payload)
    except UndecodableLog:
        return
    assert found is not None
    assert to_json_value(found[1]) is not None


def test_log_with_unknown_or_no_topic_decodes_to_none() -> None:
    assert load_abi("Vault").decode_log([b"\xab" * 32], b"") is None
    assert load_abi("Vault").decode_log([], b"") is None


@given(st.sampled_from(ERRORS), st.data())
def test_custom_error_is_explained_by_name_and_arguments(error: tuple[str, AbiEntry], data: st.DataObject) -> None:
    abi, entry = abi_and(error)
    values = draw_values(data, entry.inputs)
    revert = entry.selector + encode([parameter.type for parameter in entry.inputs], values)
    words = abi.explain_revert(revert)
    assert words.startswith(f"{entry.name}(")
    assert abi.error_name(revert) == entry.name
    for parameter, value in zip(entry.inputs, values, strict=True):
        if parameter.type.startswith("uint"):
            assert f"{parameter.name}={value}" in words


def reason_string(text: str) -> bytes:
    return bytes.fromhex("08c379a0") + encode(["string"], [text])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "reverted without a reason"),
        (b"", "reverted without a reason"),
        (reason_string("Use Redemption"), "reverted: Use Redemption"),
        (bytes.fromhex("4e487b71") + encode(["uint256"], [0x11]), "panicked with code 0x11"),
        (bytes.fromhex("deadbeef"), "reverted with an unknown error 0xdeadbeef"),
    ],
)
def test_revert_without_custom_error_is_explained(data: bytes | None, words: str) -> None:
    assert load_abi("Vault").explain_revert(data) == words
    assert load_abi("Vault").error_name(data) is None


SELECTORS: Final = [entry.selector for _, entry in ERRORS] + [bytes.fromhex("08c379a0"), bytes.fromhex("4e487b71")]


@given(st.sampled_from(SELECTORS), st.binary(max_size=100))
def test_any_revert_data_gives_storable_text(selector: bytes, tail: bytes) -> None:
    """A node or a contract may answer with any bytes, and the explanation is stored in a text column."""
    for name in ("Vault", "RedemptionManager"):
        words = load_abi(name).explain_revert(selector + tail)
        assert words
        assert "\x00" not in words


def test_typed_event_has_an_abi_event_with_its_arguments() -> None:
    for (contract, name), kind in EVENT_TYPES.items():
        entries = [entry for entry in load_abi(contract.value).events_by_topic.values() if entry.name == name]
        assert entries
        for entry in entries:
            args = {parameter.name: parameter.name for parameter in entry.inputs}
            event = typed_event(contract, name, args, emitter=Address(bytes(20)))
            assert isinstance(event, kind)
            names = {field.name for field in fields(event) if field.default is MISSING} - {"emitter"}
            assert names
            assert len(names) <= len(entry.inputs)


def test_event_that_lacks_an_optional_argument_has_its_default() -> None:
    event = typed_event(ContractName.ASSET_CONTROLLER, "AssetAdded", {"token": b"t" * 20, "tier": 2}, emitter=VAULT)
    assert event == AssetAdded(Address(b"t" * 20), 2, 0)


REQUEST: Final = (7, "0x" + "11" * 20, "0x" + "22" * 20, 5, 6, 7, 8, 9, 10, 1, 0, True, 3)
CONFIG: Final = ("0x" + "33" * 20, 1, 500, True, "0x" + "44" * 20, 6, 2, 100, 0, 0, 0)


@pytest.mark.parametrize("has_voucher", [None, False, True])
def test_request_decodes_by_its_shape(has_voucher: bool | None) -> None:
    tail = () if has_voucher is None else (has_voucher,)
    kind = "(uint256,address,address,uint256,uint256,uint256,uint256,uint256,uint256,uint8,uint8,bool,uint256"
    data = encode([f"{kind}{',bool' if tail else ''})"], [REQUEST + tail])
    result = load_abi("RedemptionManager").decode_result("getRedemptionRequest", data)
    assert (result["requestId"], result["windowId"], result["requiresApproval"]) == (7, 3, True)
    assert result.get("hasVoucher") is has_voucher


@pytest.mark.parametrize("count", [0, 1, 2, 7, 11, 14])
def test_asset_configs_decode_by_their_shape_at_any_length(count: int) -> None:
    abi = load_abi("AssetController")
    long = encode(["(address,uint8,uint256,bool,address,uint8,uint8,uint256,uint256,uint256,uint256)[]"], [[CONFIG] * count])
    short = encode(
        ["(address,uint8,bool,address,uint8,uint8,uint256)[]"],
        [[(CONFIG[0], CONFIG[1], CONFIG[3], CONFIG[4], CONFIG[5], CONFIG[6], CONFIG[7])] * count],
    )
    for data in (long, short):
        configs = abi.decode_result("getAssetConfigs", data)
        assert [(config["decimals"], config["maxSlippage"]) for config in configs] == [(6, 100)] * count
    if count:
        with pytest.raises(DecodingError, match="shapes"):
            abi.decode_result("getAssetConfigs", long + bytes(32))


VAULT: Final = Address(bytes(20))


def test_typed_event_ignores_an_argument_of_a_later_deployment() -> None:
    assert typed_event(ContractName.VAULT, "Paused", {"account": b"a" * 20, "until": 5}, emitter=VAULT) is not None
    assert typed_event(ContractName.VAULT, "NavUpdated", {"oldNav": 1}, emitter=VAULT) is None
    with pytest.raises(KeyError, match="account"):
        typed_event(ContractName.VAULT, "Paused", {"who": b"a" * 20}, emitter=VAULT)


def test_decoded_values_convert_to_json_values() -> None:
    value = {"id": 2**255, "on": True, "who": bytes(20), "role": bytes(32), "list": [1, ("a", None)]}
    assert to_json_value(value) == {
        "id": str(2**255),
        "on": True,
        "who": "0x" + "0" * 40,
        "role": "0x" + "0" * 64,
        "list": ["1", ["a", None]],
    }
    assert to_json_value(["a\x00b"]) == ["a\ufffdb"]
    with pytest.raises(TypeError, match="no JSON form for float"):
        to_json_value(1.5)
