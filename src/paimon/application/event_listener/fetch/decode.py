"""Logs as events, by the ABI of the contract that emitted them. What does not decode is kept, with the reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from paimon.application.event_listener.fetch.block_range import ChainLog
from paimon.domain.events import FundEvent, typed_event
from paimon.domain.events.log_status import LogStatus
from paimon.domain.kernel.chain import Address, ContractName
from paimon.infrastructure.blockchain.abi.contract_abi import ContractAbi, UndecodableLog, plain
from paimon.infrastructure.text import strip_nul


class Reading(NamedTuple):
    """What a log was taken to mean: the columns of `raw_logs` that another version of this code may fill otherwise."""

    contract: ContractName
    event: str | None
    args: dict[str, Any] | None
    request_id: int | None
    status: LogStatus
    reason: str | None


@dataclass(slots=True)
class DecodedLog:
    """A log with what it means. `event` is None when no projection acts on it."""

    log: ChainLog
    contract: ContractName
    status: LogStatus
    name: str | None = None
    values: dict[str, Any] | None = None
    event: FundEvent | None = None
    reason: str | None = None
    hints: dict[str, Any] | None = None
    """Of a log that does not decode: the arguments that its topics tell all the same."""

    @property
    def args(self) -> dict[str, Any] | None:
        """The values as they are recorded. Made when asked for, since a replay as a rule need not ask."""
        return None if self.values is None else plain(self.values)

    @property
    def request_id(self) -> int | None:
        """The redemption request this log tells of, so that its timeline finds it, and a broken log is seen beside it."""
        value = (self.values or self.hints or {}).get("requestId")
        return None if value is None else int(value)

    def quarantine(self, reason: str) -> None:
        """Keep the log and its reason; nothing is projected from it."""
        self.status, self.reason = LogStatus.QUARANTINED, reason

    def skip(self) -> None:
        """Leave the log out: it is kept, and tells nothing."""
        self.status, self.reason, self.event = LogStatus.SKIPPED, None, None


def decode_log(log: ChainLog, names: Mapping[Address, ContractName], abis: Mapping[ContractName, ContractAbi]) -> DecodedLog:
    """One log, decoded as far as its ABI allows; never raises for what a contract may emit."""
    contract = names[log.address]
    try:
        found = abis[contract].decode_log(log.topics, log.data)
        if found is None:
            return DecodedLog(log, contract, LogStatus.UNKNOWN)
        name, values = found
        if str in map(type, values.values()):
            values = {key: strip_nul(value) if isinstance(value, str) else value for key, value in values.items()}
        event = typed_event(contract, name, values, emitter=log.address)
        return DecodedLog(log, contract, LogStatus.APPLIED, name, values, event)
    except UndecodableLog as error:
        reason = str(error)
    except KeyError as error:
        reason = f"the event lacks its argument {error}"
    decoded = DecodedLog(log, contract, LogStatus.QUARANTINED, hints=plain(abis[contract].decode_topics(log.topics)))
    decoded.quarantine(reason)
    return decoded
