"""Parse requested calls: names and arguments become the bytes that contracts take, or an error that says why.

Each error has a stable code, and names the call and the part of it that is wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from eth_abi.exceptions import EncodingError

from paimon.application.transactions.multisig.describe import describe_call
from paimon.domain.approval.policy import NONE, Initiator
from paimon.domain.kernel.chain import Address, ContractName, InvalidAddress, checksum, parse_address
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.plan import CALLS_MAX, DRILL_PREFIXES, ENGINE_PREFIXES, PlanStep
from paimon.domain.transaction.wallet_selection import RebalancerFunction
from paimon.errors import DetailCode, InvalidRequest
from paimon.infrastructure.blockchain.abi.contract_abi import AbiEntry, Parameter, to_json_value
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.contracts.money_calls import AMOUNT_ARGUMENT, MoneyCall


class InvalidPlan(InvalidRequest, ValueError):
    """A plan cannot be made as requested; `field` is the place in the request."""

    def __init__(self, code: DetailCode, field: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.field = field


@dataclass(frozen=True, slots=True)
class RequestedCall:
    """A call as a person writes it: a contract's name or address, a function, and its arguments by name."""

    contract: str
    function: str
    arguments: Mapping[str, Any]


TEXT_MAX: Final = {"key": 100, "plan": 100, "reason": 500}


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """One requested piece of a plan. `key` is its idempotency key; all pieces of one name, `plan`, count together."""

    key: str
    plan: str
    calls: tuple[RequestedCall, ...]
    reason: str
    initiator: Initiator = Initiator.OPERATOR
    """Who the approval policy sees; a submission has the role of the person who signed it."""
    is_of_engine: bool = False
    """Whether the rebalance engine makes this plan, under rules of its own. Other plans may not take its names."""

    def __post_init__(self) -> None:
        """Raises InvalidPlan for a text that is empty or too long, and for a name of the rebalance engine's or of a drill."""
        for field, length_max in TEXT_MAX.items():
            given = getattr(self, field)
            if not (given.strip() == given and 1 <= len(given) <= length_max and given.isprintable()):
                raise InvalidPlan(
                    DetailCode.INVALID_TEXT,
                    field,
                    f"{field} is 1 to {length_max} printable characters, with no space at its ends",
                )
        for field in () if self.is_of_engine else ("key", "plan"):
            if getattr(self, field).startswith(ENGINE_PREFIXES):
                raise InvalidPlan(
                    DetailCode.RESERVED_NAME,
                    field,
                    f"{' and '.join(ENGINE_PREFIXES)} begin the names of the rebalance engine's plans: choose another {field},"
                    " or submit a decision with POST /rebalance/execute",
                )
        for field in ("key", "plan"):
            if getattr(self, field).casefold().startswith(DRILL_PREFIXES):
                raise InvalidPlan(
                    DetailCode.RESERVED_NAME,
                    field,
                    f"a drill has no plans, its steps are signed with the action sign_drill_step: choose another {field} than"
                    f" one that begins with {' or '.join(map(repr, DRILL_PREFIXES))}",
                )


@dataclass(frozen=True, slots=True)
class ParsedCall:
    """A call that was understood. `money` is set if the call moves the fund's money.

    `asset` is the token that it is about, `destination` the address that it pays or empowers, each checksummed or `none`.
    """

    contract: ContractName
    function: str
    signature: str
    step: PlanStep
    money: MoneyCall | None
    asset: str
    destination: str


_ASSET_ARGUMENTS: Final = ("token",)
_DESTINATION_ARGUMENTS: Final = ("to", "receiver", "recipient", "counterparty", "account", "spender", "operator")


def parse_calls(requested: Sequence[RequestedCall], contracts: FundContracts) -> list[ParsedCall]:
    """Parse the calls. Raises InvalidPlan for the first call that cannot be made."""
    if not requested:
        raise InvalidPlan(DetailCode.NO_CALLS, "calls", "a plan makes at least one call")
    if len(requested) > CALLS_MAX:
        raise InvalidPlan(
            DetailCode.TOO_MANY_CALLS,
            "calls",
            f"a piece of a plan makes at most {CALLS_MAX} calls, these are {len(requested)}; pieces of one name count together",
        )
    return [_parse_call(call, contracts, f"calls.{index}") for index, call in enumerate(requested)]


def _parse_call(requested: RequestedCall, contracts: FundContracts, field: str) -> ParsedCall:
    name, address = _contract(requested.contract, contracts, f"{field}.contract")
    abi = contracts.abis[name]
    entry = abi.functions.get(requested.function)
    if entry is None or entry.is_read:
        raise InvalidPlan(
            DetailCode.UNKNOWN_FUNCTION,
            f"{field}.function",
            f"the {name} has no function {requested.function[:60]!r} that changes anything",
        )
    values = _arguments(entry, requested.arguments, f"{field}.arguments")
    try:
        data = abi.encode_call(entry.signature, *values.values())
    except (EncodingError, OverflowError) as error:
        raise InvalidPlan(DetailCode.INVALID_ARGUMENTS, f"{field}.arguments", f"{entry.signature}: {error}") from error
    step = PlanStep(Call(address, data), describe_call(name, entry.name, to_json_value(values)))
    return _understand(name, entry, values, step, f"{field}.arguments")


def read_recorded_call(contract: ContractName, call: Call, description: str, contracts: FundContracts) -> ParsedCall:
    """Return a recorded call of a plan as it was understood when the plan was submitted."""
    function, values = contracts.abis[contract].decode_call(call.data)
    return _understand(contract, contracts.abis[contract].functions[function], values, PlanStep(call, description), "calls")


def _understand(contract: ContractName, entry: AbiEntry, values: Mapping[str, Any], step: PlanStep, field: str) -> ParsedCall:
    return ParsedCall(
        contract,
        entry.name,
        entry.signature,
        step,
        _parse_money_call(contract, entry, values, field),
        asset=_address_of(values, _ASSET_ARGUMENTS),
        destination=_address_of(values, _DESTINATION_ARGUMENTS),
    )


def _address_of(values: Mapping[str, Any], names: Sequence[str]) -> str:
    """Return the address that the first of these arguments has, as the approval policy names it."""
    return next((checksum(values[name]) for name in names if name in values), NONE)


def _contract(requested: str, contracts: FundContracts, field: str) -> tuple[ContractName, Address]:
    names = contracts.addresses.names()
    address = next((known for known, name in names.items() if name == requested), None)
    if address is None:
        if not requested.startswith("0x"):
            raise InvalidPlan(
                DetailCode.UNKNOWN_CONTRACT,
                field,
                f"{requested[:60]!r} is none of {', '.join(names.values())}, nor an address",
            )
        try:
            address = parse_address(requested)
        except InvalidAddress as error:
            raise InvalidPlan(DetailCode.INVALID_ADDRESS, field, str(error)) from error
    if address not in names:
        known_contracts = ", ".join(f"{name} {checksum(known)}" for known, name in names.items())
        raise InvalidPlan(
            DetailCode.UNKNOWN_CONTRACT, field, f"{checksum(address)} is none of the fund's contracts: {known_contracts}"
        )
    return names[address], address


def _arguments(entry: AbiEntry, requested: Mapping[str, Any], field: str) -> dict[str, Any]:
    expected = [parameter.name for parameter in entry.inputs]
    if set(expected) != set(requested):
        takes = ", ".join(f"{parameter.type} {parameter.name}" for parameter in entry.inputs)
        given = ", ".join(sorted(requested))[:200]
        raise InvalidPlan(
            DetailCode.INVALID_ARGUMENTS, field, f"{entry.name} takes {takes or 'no arguments'}; given: {given or 'none'}"
        )
    return {
        parameter.name: _value(parameter, requested[parameter.name], f"{field}.{parameter.name}") for parameter in entry.inputs
    }


def _value(parameter: Parameter, requested: Any, field: str) -> Any:
    error = InvalidPlan(
        DetailCode.INVALID_ARGUMENTS,
        field,
        f"{str(requested)[:80]!r} is no {parameter.type}: {_EXPECTED.get(parameter.type, _NUMBER)}",
    )
    match parameter.type:
        case "address":
            try:
                return parse_address(str(requested))
            except InvalidAddress as invalid:
                raise InvalidPlan(DetailCode.INVALID_ADDRESS, field, str(invalid)) from invalid
        case "bool" if isinstance(requested, bool):
            return requested
        case "string" if isinstance(requested, str):
            return requested
        case "bytes32" if isinstance(requested, str):
            return _bytes32(requested, error)
        case kind if kind.startswith("uint") and not kind.endswith("]"):
            return _number(requested, int(kind.removeprefix("uint")), error)
    raise error


_NUMBER: Final = "expected a whole number within its range, as a decimal string"
_EXPECTED: Final = {
    "bool": "expected true or false",
    "string": "expected text",
    "bytes32": "expected 0x and 64 hexadecimal digits",
}


def _number(requested: Any, bits: int, error: InvalidPlan) -> int:
    text = str(requested)
    if isinstance(requested, bool) or not (text.isascii() and text.isdigit() and len(text) <= 78) or int(text) >= 2**bits:
        raise error
    return int(text)


def _bytes32(requested: str, error: InvalidPlan) -> bytes:
    try:
        value = bytes.fromhex(requested.removeprefix("0x"))
    except ValueError:
        raise error from None
    if len(value) != 32:
        raise error
    return value


def _parse_money_call(contract: ContractName, entry: AbiEntry, values: Mapping[str, Any], field: str) -> MoneyCall | None:
    if contract is not ContractName.ASSET_CONTROLLER or entry.name not in {known.value for known in RebalancerFunction}:
        return None
    function = RebalancerFunction(entry.name)
    amount = AMOUNT_ARGUMENT.get(function)
    if amount is not None and values[amount] == 0:
        raise InvalidPlan(DetailCode.ZERO_AMOUNT, f"{field}.{amount}", f"{entry.name} of 0 would do nothing")
    return MoneyCall(function, values)
