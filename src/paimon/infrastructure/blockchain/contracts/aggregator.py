"""A price feed on chain with Chainlink's interface, read at one block."""

from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from paimon.domain.kernel.chain import Address, BlockStamp
from paimon.domain.price.observation import PRICE_DECIMALS, PriceFault, Quote
from paimon.infrastructure.blockchain.abi.contract_abi import ContractAbi
from paimon.infrastructure.blockchain.contracts.contract import Contract
from paimon.infrastructure.blockchain.contracts.reads import ContractRead, ContractReader, FailedRead, ReadBatch
from paimon.settings.price_sources import AggregatorSettings

_BOUND_MARGIN: Final = 100
"""An answer within a hundredth of the least or greatest one that the feed can give says only that it is beyond."""
_LAST_SECOND: Final = 253_402_300_799


def _view(name: str, *outputs: tuple[str, str]) -> dict[str, Any]:
    results = [{"name": output, "type": kind} for output, kind in outputs]
    return {"type": "function", "name": name, "stateMutability": "view", "inputs": [], "outputs": results}


_ABI: Final = ContractAbi(
    [
        _view(
            "latestRoundData",
            *(("roundId", "uint80"), ("answer", "int256"), ("startedAt", "uint256"), ("updatedAt", "uint256")),
            ("answeredInRound", "uint80"),
        ),
        _view("decimals", ("value", "uint8")),
        _view("description", ("value", "string")),
        _view("aggregator", ("value", "address")),
        _view("minAnswer", ("value", "int192")),
        _view("maxAnswer", ("value", "int192")),
    ]
)


class Round(NamedTuple):
    """The feed's last answer; it is complete when it was answered in its own round."""

    round_id: int
    answer: int
    updated_at: int
    answered_in_round: int


class Aggregator(Contract):
    def __init__(self, address: Address) -> None:
        super().__init__(address, _ABI)

    def latest_round(self) -> ContractRead[Round]:
        return self._read("latestRoundData", convert=_round)

    def decimals(self) -> ContractRead[int]:
        return self._read("decimals", convert=int)

    def description(self) -> ContractRead[str]:
        return self._read("description", convert=str)

    def aggregator(self) -> ContractRead[Address]:
        """The contract behind a proxy. A feed without a proxy has none."""
        return self._read("aggregator", convert=Address)

    def least_answer(self) -> ContractRead[int]:
        return self._read("minAnswer", convert=int)

    def greatest_answer(self) -> ContractRead[int]:
        return self._read("maxAnswer", convert=int)


def _round(result: dict[str, Any]) -> Round:
    return Round(result["roundId"], result["answer"], result["updatedAt"], result["answeredInRound"])


async def read_quote(reader: ContractReader, feed: AggregatorSettings, *, at: BlockStamp) -> Quote:
    """Read the feed's answer with everything that can make it worthless.

    Raises:
        RpcUnavailable, RpcError.
    """
    proxy = Aggregator(feed.address)
    batch = ReadBatch()
    last_round, read_decimals = batch.try_add(proxy.latest_round()), batch.try_add(proxy.decimals())
    description, proxied = batch.try_add(proxy.description()), batch.try_add(proxy.aggregator())
    await reader.run(batch, at=at)
    last, decimals, behind = last_round.answer, read_decimals.answer, proxied.answer
    if isinstance(last, FailedRead):
        return _fault(PriceFault.UNAVAILABLE, last.reason[:200])
    if isinstance(decimals, FailedRead):
        return _fault(PriceFault.UNAVAILABLE, decimals.reason[:200])
    if changed := _changes(feed, decimals, description.answer, behind):
        return _fault(PriceFault.FEED_CHANGED, changed)
    bounds_of = Aggregator(feed.address if isinstance(behind, FailedRead) else behind)
    bounds = await reader.try_read([bounds_of.least_answer(), bounds_of.greatest_answer()], at=at)
    return quote_of(last, decimals, *(None if isinstance(bound, FailedRead) else bound for bound in bounds))


def _changes(feed: AggregatorSettings, decimals: Any, description: Any, behind: Any) -> str | None:
    """Describe what of the feed is not as it was confirmed."""
    expected = {"decimals": feed.decimals, "description": feed.description}
    found = {"decimals": decimals, "description": description}
    if feed.aggregator is not None:
        expected["aggregator"], found["aggregator"] = feed.aggregator, behind
    different = [name for name, value in expected.items() if found[name] != value]
    return f"its {', '.join(different)} changed: confirm the feed and change the file" if different else None


def quote_of(last: Round, decimals: int, least: int | None, greatest: int | None) -> Quote:
    """Return the price of an answer in 1e18, or its fault."""
    if last.answered_in_round < last.round_id:
        return _fault(PriceFault.ROUND_INCOMPLETE, f"round {last.round_id} has the answer of round {last.answered_in_round}")
    if last.updated_at == 0:
        return _fault(PriceFault.NO_TIME, "its answer has no time: the round is not complete")
    if last.answer > 0 and _is_at_bound(last.answer, least, greatest):
        return _fault(PriceFault.AT_BOUND, f"its answer {last.answer} is at the end of what it can say: {least} to {greatest}")
    price = last.answer * 10**PRICE_DECIMALS // 10**decimals
    return Quote(price, datetime.fromtimestamp(min(last.updated_at, _LAST_SECOND), UTC))


def _is_at_bound(answer: int, least: int | None, greatest: int | None) -> bool:
    low = least is not None and least > 0 and (answer - least) * _BOUND_MARGIN <= least
    high = greatest is not None and (greatest - answer) * _BOUND_MARGIN <= greatest
    return low or high


def _fault(fault: PriceFault, detail: str) -> Quote:
    return Quote(None, None, fault=fault, detail=detail)
