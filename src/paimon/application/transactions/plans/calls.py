"""Reading what somebody wants called: names and arguments become the bytes that contracts take, or an error that says why.

Each error has a code that stays the same and says which call, and which part of it, is wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from eth_abi.exceptions import EncodingError

from paimon.application.transactions.multisig.describe import spoken
from paimon.domain.kernel.chain import Address, ContractName, InvalidAddress, checksum, parse_address
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.plan import CALLS_MAX, Step
from paimon.domain.transaction.wallet_selection import MoneyFunction
from paimon.errors import InvalidRequest
from paimon.infrastructure.blockchain.abi import Entry, Parameter, plain
from paimon.infrastructure.blockchain.contracts import FundContracts
from paimon.infrastructure.blockchain.money_calls import AMOUNT_OF, MoneyCall


class BadPlanCode(StrEnum):
    """Stable codes of what is wrong with a plan."""

    WRONG_TEXT = "WRONG_TEXT"
    NO_CALLS = "NO_CALLS"
    TOO_MANY_CALLS = "TOO_MANY_CALLS"
    WRONG_ADDRESS = "WRONG_ADDRESS"
    NOT_OUR_CONTRACT = "NOT_OUR_CONTRACT"
    UNKNOWN_FUNCTION = "UNKNOWN_FUNCTION"
    WRONG_ARGUMENTS = "WRONG_ARGUMENTS"
    ZERO_AMOUNT = "ZERO_AMOUNT"
    CANNOT_BE_VALUED = "CANNOT_BE_VALUED"


class BadPlan(InvalidRequest, ValueError):
    """A plan cannot be made as asked for; `field` is the place in the request."""

    def __init__(self, code: BadPlanCode, field: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.field = field


@dataclass(frozen=True, slots=True)
class AskedCall:
    """As a person writes it: a contract's name or address, a function, and its arguments by name."""

    contract: str
    function: str
    arguments: Mapping[str, Any]


TEXT_MAX: Final = {"key": 100, "plan": 100, "reason": 500}


@dataclass(frozen=True, slots=True)
class WantedPlan:
    """One piece of a plan as somebody wants it. `key` says what for, once; all of one name, `plan`, count together."""

    key: str
    plan: str
    calls: tuple[AskedCall, ...]
    reason: str

    def __post_init__(self) -> None:
        """Raises BadPlan for a text that is empty or too long."""
        for field, most in TEXT_MAX.items():
            given = getattr(self, field)
            if not (given.strip() == given and 1 <= len(given) <= most and given.isprintable()):
                raise BadPlan(
                    BadPlanCode.WRONG_TEXT, field, f"{field} is 1 to {most} printable characters, with no space at its ends"
                )


@dataclass(frozen=True, slots=True)
class ReadCall:
    """The same, understood. `money` is set for what moves the fund's money."""

    contract: ContractName
    function: str
    step: Step
    money: MoneyCall | None


def read_calls(asked: Sequence[AskedCall], contracts: FundContracts) -> list[ReadCall]:
    """Raises BadPlan for the first that cannot be made."""
    if not asked:
        raise BadPlan(BadPlanCode.NO_CALLS, "calls", "a plan makes at least one call")
    if len(asked) > CALLS_MAX:
        raise BadPlan(
            BadPlanCode.TOO_MANY_CALLS,
            "calls",
            f"a plan comes in pieces of at most {CALLS_MAX} calls, these are {len(asked)}; all of one name count together",
        )
    return [_read(each, contracts, f"calls.{place}") for place, each in enumerate(asked)]


def _read(asked: AskedCall, contracts: FundContracts, field: str) -> ReadCall:
    name, address = _contract(asked.contract, contracts, f"{field}.contract")
    abi = contracts.abis[name]
    entry = abi.functions.get(asked.function)
    if entry is None or entry.is_read:
        raise BadPlan(
            BadPlanCode.UNKNOWN_FUNCTION,
            f"{field}.function",
            f"the {name} has no function {asked.function[:60]!r} that changes anything",
        )
    values = _arguments(entry, asked.arguments, f"{field}.arguments")
    try:
        data = abi.encode_call(entry.signature, *values.values())
    except (EncodingError, OverflowError) as error:
        raise BadPlan(BadPlanCode.WRONG_ARGUMENTS, f"{field}.arguments", f"{entry.signature}: {error}") from error
    step = Step(Call(address, data), spoken(name, entry.name, plain(values)))
    return ReadCall(name, entry.name, step, _money(name, entry, values, f"{field}.arguments"))


def _contract(asked: str, contracts: FundContracts, field: str) -> tuple[ContractName, Address]:
    names = contracts.addresses.names()
    address = next((where for where, name in names.items() if name == asked), None)
    if address is None:
        if not asked.startswith("0x"):
            raise BadPlan(
                BadPlanCode.NOT_OUR_CONTRACT, field, f"{asked[:60]!r} is none of {', '.join(names.values())}, nor an address"
            )
        try:
            address = parse_address(asked)
        except InvalidAddress as error:
            raise BadPlan(BadPlanCode.WRONG_ADDRESS, field, str(error)) from error
    if address not in names:
        told = ", ".join(f"{name} {checksum(where)}" for where, name in names.items())
        raise BadPlan(BadPlanCode.NOT_OUR_CONTRACT, field, f"{checksum(address)} is none of the fund's contracts: {told}")
    return names[address], address


def _arguments(entry: Entry, asked: Mapping[str, Any], field: str) -> dict[str, Any]:
    wanted = [each.name for each in entry.inputs]
    if set(wanted) != set(asked):
        takes = ", ".join(f"{each.type} {each.name}" for each in entry.inputs)
        given = ", ".join(sorted(asked))[:200]
        raise BadPlan(
            BadPlanCode.WRONG_ARGUMENTS, field, f"{entry.name} takes {takes or 'no arguments'}; given: {given or 'none'}"
        )
    return {each.name: _value(each, asked[each.name], f"{field}.{each.name}") for each in entry.inputs}


def _value(parameter: Parameter, asked: Any, field: str) -> Any:
    wrong = BadPlan(
        BadPlanCode.WRONG_ARGUMENTS,
        field,
        f"{str(asked)[:80]!r} is no {parameter.type}: {_WANTED.get(parameter.type, _NUMBER)}",
    )
    match parameter.type:
        case "address":
            try:
                return parse_address(str(asked))
            except InvalidAddress as error:
                raise BadPlan(BadPlanCode.WRONG_ADDRESS, field, str(error)) from error
        case "bool" if isinstance(asked, bool):
            return asked
        case "string" if isinstance(asked, str):
            return asked
        case "bytes32" if isinstance(asked, str):
            return _bytes32(asked, wrong)
        case kind if kind.startswith("uint") and not kind.endswith("]"):
            return _number(asked, int(kind.removeprefix("uint")), wrong)
    raise wrong


_NUMBER: Final = "a whole number within its range is wanted, as a decimal string"
_WANTED: Final = {
    "bool": "true or false is wanted",
    "string": "text is wanted",
    "bytes32": "0x and 64 hexadecimal digits are wanted",
}


def _number(asked: Any, bits: int, wrong: BadPlan) -> int:
    text = str(asked)
    if isinstance(asked, bool) or not (text.isascii() and text.isdigit() and len(text) <= 78) or int(text) >= 2**bits:
        raise wrong
    return int(text)


def _bytes32(asked: str, wrong: BadPlan) -> bytes:
    try:
        value = bytes.fromhex(asked.removeprefix("0x"))
    except ValueError:
        raise wrong from None
    if len(value) != 32:
        raise wrong
    return value


def _money(contract: ContractName, entry: Entry, values: Mapping[str, Any], field: str) -> MoneyCall | None:
    if contract is not ContractName.ASSET_CONTROLLER or entry.name not in {each.value for each in MoneyFunction}:
        return None
    function = MoneyFunction(entry.name)
    amount = AMOUNT_OF.get(function)
    if amount is not None and values[amount] == 0:
        raise BadPlan(BadPlanCode.ZERO_AMOUNT, f"{field}.{amount}", f"{entry.name} of 0 would do nothing")
    return MoneyCall(function, values)
