"""What a contract's ABI can do: encode calls, decode results, logs and reverts. Built once from the shipped JSON."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Self

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_utils.address import to_canonical_address
from eth_utils.crypto import keccak

from paimon.domain.kernel.chain import checksum, hex0x
from paimon.errors import StartupError
from paimon.infrastructure.blockchain.abi.fast_decoder import word_layout
from paimon.infrastructure.text import strip_nul


class UndecodableLog(Exception):
    """A log of an event we know whose topics or data do not fit the ABI."""


class UnreadableAbi(StartupError):
    """A file that the settings name as an ABI is none."""


class UnknownCall(Exception):
    """Call data that is no function of this ABI, or whose arguments do not fit."""


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    type: str
    indexed: bool = False
    components: tuple["Parameter", ...] = ()

    @classmethod
    def from_json(cls, item: Mapping[str, Any]) -> Self:
        components = tuple(cls.from_json(each) for each in item.get("components", ()))
        kind = item["type"]
        if kind.startswith("tuple"):
            kind = "(" + ",".join(each.type for each in components) + ")" + kind.removeprefix("tuple")
        return cls(item.get("name", ""), kind, bool(item.get("indexed", False)), components)


@dataclass(frozen=True, slots=True)
class AbiEntry:
    """A function, event or error."""

    name: str
    inputs: tuple[Parameter, ...]
    outputs: tuple[Parameter, ...] = ()
    is_read: bool = False
    """A function that changes nothing."""

    @property
    def signature(self) -> str:
        return f"{self.name}({','.join(each.type for each in self.inputs)})"

    @property
    def selector(self) -> bytes:
        return bytes(keccak(text=self.signature)[:4])

    @property
    def topic(self) -> bytes:
        return bytes(keccak(text=self.signature))


class ContractAbi:
    """One contract's functions by name, events by topic, errors by selector.

    An overloaded function is reachable by its full signature.
    """

    def __init__(self, items: Sequence[Mapping[str, Any]]) -> None:
        entries = {kind: [_entry(item) for item in items if item["type"] == kind] for kind in ("function", "event", "error")}
        self.functions = {each.signature: each for each in entries["function"]} | {
            each.name: each for each in entries["function"]
        }
        self.functions_by_selector = {each.selector: each for each in entries["function"]}
        self.events_by_topic = {each.topic: each for each in entries["event"]}
        self.errors_by_selector = {each.selector: each for each in entries["error"]}
        self._layouts = {
            topic: word_layout([(each.name, each.type, each.indexed) for each in event.inputs])
            for topic, event in self.events_by_topic.items()
        }

    def encode_call(self, function: str, *args: Any) -> bytes:
        """Selector and arguments. Addresses are 20 bytes or hex."""
        entry = self.functions[function]
        return entry.selector + encode([each.type for each in entry.inputs], args)

    def decode_call(self, data: bytes) -> tuple[str, dict[str, Any]]:
        """The function's name and its arguments by name.

        Raises:
            UnknownCall: no such function, or bytes that do not fit or do not encode back to themselves.
        """
        entry = self.functions_by_selector.get(data[:4])
        if entry is None:
            raise UnknownCall(f"selector {hex0x(data[:4])} is no function of this contract")
        types = [each.type for each in entry.inputs]
        try:
            values = decode(types, data[4:])
        except (DecodingError, OverflowError, UnicodeDecodeError) as error:
            raise UnknownCall(f"arguments of {entry.name} do not decode: {error}") from error
        if encode(types, values) != data[4:]:
            raise UnknownCall(f"arguments of {entry.name} carry bytes that its ABI does not explain")
        return entry.name, _named(entry.inputs, values)

    def decode_result(self, function: str, data: bytes) -> Any:
        """A single value for one output, a dict by name for several named ones."""
        entry = self.functions[function]
        values = decode([each.type for each in entry.outputs], data)
        if len(entry.outputs) == 1:
            return _native(entry.outputs[0], values[0])
        return _named(entry.outputs, values)

    def decode_log(self, topics: Sequence[bytes], data: bytes) -> tuple[str, dict[str, Any]] | None:
        """The event's name and its arguments by name, or None for a topic this ABI does not have.

        Raises:
            UndecodableLog: the event is known, the log does not fit it.
        """
        entry = self.events_by_topic.get(topics[0]) if topics else None
        if entry is None:
            return None
        if (layout := self._layouts[topics[0]]) and (values := layout.read(topics, data)) is not None:
            return entry.name, values
        indexed = [each for each in entry.inputs if each.indexed]
        plain = [each for each in entry.inputs if not each.indexed]
        if len(topics) != len(indexed) + 1:
            raise UndecodableLog(f"{entry.name} has {len(indexed)} indexed arguments, the log {len(topics) - 1}")
        try:
            from_topics = [_from_topic(each, topic) for each, topic in zip(indexed, topics[1:], strict=True)]
            from_data = decode([each.type for each in plain], data)
        except (DecodingError, OverflowError, UnicodeDecodeError) as error:
            raise UndecodableLog(f"{entry.name} does not decode: {error}") from error
        values = dict(zip((each.name for each in indexed), from_topics, strict=True)) | _named(plain, from_data)
        return entry.name, {each.name: values[each.name] for each in entry.inputs}

    def decode_topics(self, topics: Sequence[bytes]) -> dict[str, Any]:
        """The indexed arguments as far as each topic alone tells them, of a log that does not decode. Never raises."""
        entry = self.events_by_topic.get(topics[0]) if topics else None
        decoded: dict[str, Any] = {}
        for each, topic in zip((each for each in entry.inputs if each.indexed) if entry else (), topics[1:], strict=False):
            with suppress(DecodingError, OverflowError):
                decoded[each.name] = _from_topic(each, topic)
        return decoded

    def explain_revert(self, data: bytes | None) -> str:
        """A revert in words: the contract's own error with its arguments, or the reason string. Never raises."""
        if not data:
            return "reverted without a reason"
        try:
            return strip_nul(self._explain(data[:4], data[4:]))
        except (DecodingError, OverflowError, UnicodeDecodeError):
            return f"reverted with data that does not fit its error {hex0x(data[:4])}"

    def _explain(self, selector: bytes, arguments: bytes) -> str:
        if selector == _ERROR_STRING:
            return f"reverted: {decode(['string'], arguments)[0]}"
        if selector == _PANIC:
            return f"panicked with code {decode(['uint256'], arguments)[0]:#x}"
        entry = self.errors_by_selector.get(selector)
        if entry is None:
            return f"reverted with an unknown error {hex0x(selector)}"
        values = _named(entry.inputs, decode([each.type for each in entry.inputs], arguments))
        return f"{entry.name}({', '.join(f'{name}={to_json_value(value)}' for name, value in values.items())})"

    def error_name(self, data: bytes | None) -> str | None:
        """The name of the custom error the revert data carries, if it is one of this contract's."""
        entry = self.errors_by_selector.get(data[:4]) if data else None
        return entry.name if entry else None


_ERROR_STRING = bytes(keccak(text="Error(string)")[:4])
_PANIC = bytes(keccak(text="Panic(uint256)")[:4])
_DYNAMIC = ("string", "bytes")


def _entry(item: Mapping[str, Any]) -> AbiEntry:
    def parameters(key: str) -> tuple[Parameter, ...]:
        return tuple(Parameter.from_json(each) for each in item.get(key, ()))

    is_read = item.get("stateMutability") in ("view", "pure")
    return AbiEntry(item["name"], parameters("inputs"), parameters("outputs"), is_read)


def _from_topic(parameter: Parameter, topic: bytes) -> Any:
    if parameter.type in _DYNAMIC or parameter.type.endswith("]") or parameter.type.startswith("("):
        return topic  # only its hash is in the log
    return _native(parameter, decode([parameter.type], topic)[0])


def _named(parameters: Sequence[Parameter], values: Sequence[Any]) -> dict[str, Any]:
    return {
        each.name or str(index): _native(each, value)
        for index, (each, value) in enumerate(zip(parameters, values, strict=True))
    }


def _native(parameter: Parameter, value: Any) -> Any:
    """Addresses become 20 bytes, tuples dicts by name, arrays lists of those."""
    if parameter.type.endswith("]"):
        element = Parameter(parameter.name, parameter.type[: parameter.type.rindex("[")], False, parameter.components)
        return [_native(element, each) for each in value]
    if parameter.components:
        return _named(parameter.components, value)
    return to_canonical_address(value) if parameter.type == "address" else value


def to_json_value(value: Any) -> Any:
    """A decoded value as stored JSON carries it: integers as decimal strings, addresses checksummed, bytes as hex."""
    return _JSON_CONVERTERS[type(value)](value)


class _Converters(dict[type, Callable[[Any], Any]]):
    """Looked up by type rather than matched: this runs for every argument of every log."""

    def __missing__(self, kind: type) -> Callable[[Any], Any]:
        raise TypeError(f"no plain form for {kind.__name__}")


def _json_bytes(value: bytes) -> str:
    return checksum(value) if len(value) == 20 else hex0x(value)


def _json_dict(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _JSON_CONVERTERS[type(each)](each) for name, each in values.items()}


def _json_list(values: Sequence[Any]) -> list[Any]:
    return [_JSON_CONVERTERS[type(each)](each) for each in values]


_JSON_CONVERTERS: Final = _Converters(
    {
        type(None): lambda value: value,
        bool: bool,
        str: strip_nul,
        int: str,
        bytes: _json_bytes,
        dict: _json_dict,
        list: _json_list,
        tuple: _json_list,
    }
)


@cache
def load_abi(name: str) -> ContractAbi:
    """One of the ABIs shipped with the package: Vault, RedemptionManager, AssetController, …"""
    return ContractAbi(json.loads(files("paimon.infrastructure.blockchain.abi").joinpath(f"{name}.json").read_text()))


def read_abi(path: Path) -> ContractAbi:
    """An ABI from a file: its JSON list, or a compiler's artifact with the list under `abi`.

    Raises:
        UnreadableAbi: there is no such file, or it holds no ABI.
    """
    try:
        content = json.loads(path.read_text())
        return ContractAbi(content["abi"] if isinstance(content, dict) else content)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableAbi(f"{path} holds no ABI: {error!r}") from error
