"""A contract's ABI: encode calls; decode results, logs and reverts. Built once from the shipped JSON."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Self

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError, EncodingError
from eth_utils.address import to_canonical_address
from eth_utils.crypto import keccak

from paimon.domain.kernel.chain import checksum, hex0x
from paimon.errors import StartupError
from paimon.infrastructure.blockchain.abi.fast_decoder import word_layout
from paimon.infrastructure.blockchain.abi.later_deployments import LATER
from paimon.infrastructure.blockchain.abi.signature_text import abi_item
from paimon.infrastructure.text import shown_line, strip_nul


class UndecodableLog(Exception):
    """A log of a known event whose topics or data do not fit the ABI."""


class UnreadableAbi(StartupError):
    """A file that the settings name as an ABI contains no ABI."""


class UnknownCall(Exception):
    """Call data of no function of this ABI, or with arguments that do not fit."""


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    type: str
    indexed: bool = False
    components: tuple["Parameter", ...] = ()

    @classmethod
    def from_json(cls, item: Mapping[str, Any]) -> Self:
        components = tuple(cls.from_json(component) for component in item.get("components", ()))
        kind = item["type"]
        if kind.startswith("tuple"):
            kind = "(" + ",".join(component.type for component in components) + ")" + kind.removeprefix("tuple")
        return cls(item.get("name", ""), kind, bool(item.get("indexed", False)), components)


@dataclass(frozen=True, slots=True)
class AbiEntry:
    """A function, event or error."""

    name: str
    inputs: tuple[Parameter, ...]
    outputs: tuple[Parameter, ...] = ()
    is_read: bool = False
    """Whether the function changes no state."""

    @property
    def signature(self) -> str:
        return f"{self.name}({','.join(parameter.type for parameter in self.inputs)})"

    @property
    def selector(self) -> bytes:
        return _signature_hash(self.signature)[:4]

    @property
    def topic(self) -> bytes:
        return _signature_hash(self.signature)


@cache
def _signature_hash(signature: str) -> bytes:
    return bytes(keccak(text=signature))


class ContractAbi:
    """One contract's functions by name, events by topic, errors by selector.

    An overloaded function is found by its full signature; its bare name means the first one. A read of which several shapes of
    results are known is decoded by the shape that its bytes have.
    """

    def __init__(self, items: Sequence[Mapping[str, Any]]) -> None:
        entries = {kind: [_entry(item) for item in items if item["type"] == kind] for kind in ("function", "event", "error")}
        functions = list({entry.signature: entry for entry in reversed(entries["function"])}.values())
        self.functions = {entry.signature: entry for entry in functions} | {entry.name: entry for entry in functions}
        self._shapes: dict[str, list[tuple[Parameter, ...]]] = {}
        for entry in entries["function"]:
            self._shapes.setdefault(entry.signature, []).append(entry.outputs)
        self.functions_by_selector = {entry.selector: entry for entry in functions}
        self.events_by_topic = {entry.topic: entry for entry in entries["event"]}
        self.errors_by_selector = {entry.selector: entry for entry in entries["error"]}
        self._layouts = {
            topic: word_layout([(parameter.name, parameter.type, parameter.indexed) for parameter in event.inputs])
            for topic, event in self.events_by_topic.items()
        }

    def encode_call(self, function: str, *args: Any) -> bytes:
        """Encode selector and arguments. Addresses are 20 bytes or hex."""
        entry = self.functions[function]
        return entry.selector + encode(_types(entry.inputs), args)

    def decode_call(self, data: bytes) -> tuple[str, dict[str, Any]]:
        """Return the function's name and its arguments by name.

        Raises:
            UnknownCall: no such function, or the bytes do not fit or do not encode back to themselves.
        """
        entry = self.functions_by_selector.get(data[:4])
        if entry is None:
            raise UnknownCall(f"selector {hex0x(data[:4])} is no function of this contract")
        types = _types(entry.inputs)
        try:
            values = decode(types, data[4:])
        except (DecodingError, OverflowError, UnicodeDecodeError) as error:
            raise UnknownCall(f"arguments of {entry.name} do not decode: {error}") from error
        if encode(types, values) != data[4:]:
            raise UnknownCall(f"arguments of {entry.name} have bytes that its ABI does not describe")
        return entry.name, _named(entry.inputs, values)

    def decode_result(self, function: str, data: bytes) -> Any:
        """Return the value of a single output, or a dict by name of several outputs.

        Raises:
            DecodingError, OverflowError, UnicodeDecodeError: the bytes fit no known shape.
        """
        shapes = self._shapes[self.functions[function].signature]
        outputs = shapes[0] if len(shapes) == 1 else _fitting(shapes, data)
        values = decode(_types(outputs), data)
        if len(outputs) == 1:
            return _native(outputs[0], values[0])
        return _named(outputs, values)

    def decode_log(self, topics: Sequence[bytes], data: bytes) -> tuple[str, dict[str, Any]] | None:
        """Return the event's name and its arguments by name; None for a topic that this ABI lacks.

        Raises:
            UndecodableLog: the event is known, and the log does not fit it.
        """
        entry = self.events_by_topic.get(topics[0]) if topics else None
        if entry is None:
            return None
        if (layout := self._layouts[topics[0]]) and (values := layout.read(topics, data)) is not None:
            return entry.name, values
        indexed = [parameter for parameter in entry.inputs if parameter.indexed]
        unindexed = [parameter for parameter in entry.inputs if not parameter.indexed]
        if len(topics) != len(indexed) + 1:
            raise UndecodableLog(f"{entry.name} has {len(indexed)} indexed arguments, the log {len(topics) - 1}")
        try:
            from_topics = [_from_topic(parameter, topic) for parameter, topic in zip(indexed, topics[1:], strict=True)]
            from_data = decode(_types(unindexed), data)
        except (DecodingError, OverflowError, UnicodeDecodeError) as error:
            raise UndecodableLog(f"{entry.name} does not decode: {error}") from error
        names = (parameter.name for parameter in indexed)
        values = dict(zip(names, from_topics, strict=True)) | _named(unindexed, from_data)
        return entry.name, {parameter.name: values[parameter.name] for parameter in entry.inputs}

    def decode_topics(self, topics: Sequence[bytes]) -> dict[str, Any]:
        """Decode the indexed arguments of a log that does not decode, as far as each topic alone allows. Never raises."""
        entry = self.events_by_topic.get(topics[0]) if topics else None
        decoded: dict[str, Any] = {}
        indexed = [parameter for parameter in entry.inputs if parameter.indexed] if entry else []
        for parameter, topic in zip(indexed, topics[1:], strict=False):
            with suppress(DecodingError, OverflowError):
                decoded[parameter.name] = _from_topic(parameter, topic)
        return decoded

    def explain_revert(self, data: bytes | None) -> str:
        """Describe a revert: the contract's own error with its arguments, or the reason string. Never raises."""
        if not data:
            return "reverted without a reason"
        try:
            return shown_line(self._explain(data[:4], data[4:]), length_max=_EXPLANATION_MAX)
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
        values = _named(entry.inputs, decode(_types(entry.inputs), arguments))
        return f"{entry.name}({', '.join(f'{name}={to_json_value(value)}' for name, value in values.items())})"

    def error_name(self, data: bytes | None) -> str | None:
        """Return the name of the custom error in the revert data, if this contract has it."""
        entry = self.errors_by_selector.get(data[:4]) if data else None
        return entry.name if entry else None


_EXPLANATION_MAX = 500
_ERROR_STRING = bytes(keccak(text="Error(string)")[:4])
_PANIC = bytes(keccak(text="Panic(uint256)")[:4])
_DYNAMIC = ("string", "bytes")


def _entry(item: Mapping[str, Any]) -> AbiEntry:
    def parameters(key: str) -> tuple[Parameter, ...]:
        return tuple(Parameter.from_json(parameter) for parameter in item.get(key, ()))

    is_read = item.get("stateMutability") in ("view", "pure")
    return AbiEntry(item["name"], parameters("inputs"), parameters("outputs"), is_read)


def _fitting(shapes: Sequence[tuple[Parameter, ...]], data: bytes) -> tuple[Parameter, ...]:
    """Return the shape that encodes back to exactly these bytes. Raises DecodingError where none does."""
    for outputs in shapes:
        types = _types(outputs)
        with suppress(DecodingError, EncodingError, OverflowError, UnicodeDecodeError):
            if encode(types, decode(types, data)) == data:
                return outputs
    raise DecodingError(f"{len(data)} bytes have none of the {len(shapes)} shapes that are known")


def _types(parameters: Sequence[Parameter]) -> list[str]:
    return [parameter.type for parameter in parameters]


def _from_topic(parameter: Parameter, topic: bytes) -> Any:
    if parameter.type in _DYNAMIC or parameter.type.endswith("]") or parameter.type.startswith("("):
        return topic  # the log has only its hash
    return _native(parameter, decode([parameter.type], topic)[0])


def _named(parameters: Sequence[Parameter], values: Sequence[Any]) -> dict[str, Any]:
    return {
        parameter.name or str(index): _native(parameter, value)
        for index, (parameter, value) in enumerate(zip(parameters, values, strict=True))
    }


def _native(parameter: Parameter, value: Any) -> Any:
    """Convert a decoded value: an address to 20 bytes, a tuple to a dict by name, an array to a list."""
    if parameter.type.endswith("]"):
        element = Parameter(parameter.name, parameter.type[: parameter.type.rindex("[")], False, parameter.components)
        return [_native(element, entry) for entry in value]
    if parameter.components:
        return _named(parameter.components, value)
    return to_canonical_address(value) if parameter.type == "address" else value


def to_json_value(value: Any) -> Any:
    """Convert a decoded value to its stored JSON form: integers as decimal strings, addresses checksummed, bytes as hex."""
    return _JSON_CONVERTERS[type(value)](value)


class _Converters(dict[type, Callable[[Any], Any]]):
    """Converters by type. A lookup, because it runs for every argument of every log."""

    def __missing__(self, kind: type) -> Callable[[Any], Any]:
        raise TypeError(f"no JSON form for {kind.__name__}")


def _json_bytes(value: bytes) -> str:
    return checksum(value) if len(value) == 20 else hex0x(value)


def _json_dict(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _JSON_CONVERTERS[type(value)](value) for name, value in values.items()}


def _json_list(values: Sequence[Any]) -> list[Any]:
    return [_JSON_CONVERTERS[type(value)](value) for value in values]


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
    """Load one of the shipped ABIs: Vault, RedemptionManager, AssetController, …, with what other deployments have of it."""
    shipped = json.loads(files("paimon.infrastructure.blockchain.abi").joinpath(f"{name}.json").read_text())
    return ContractAbi([*shipped, *(abi_item(signature) for signature in LATER.get(name, ()))])


def read_abi(path: Path) -> ContractAbi:
    """Read an ABI from a file: its JSON list, or a compiler's artifact with the list under `abi`.

    Raises:
        UnreadableAbi: the file does not exist or contains no ABI.
    """
    try:
        content = json.loads(path.read_text())
        return ContractAbi(content["abi"] if isinstance(content, dict) else content)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableAbi(f"{path} holds no ABI: {error!r}") from error
