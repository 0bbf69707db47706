"""Logs as events, by the ABI of the contract that emitted them. A log that does not decode is kept with the reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from paimon.application.event_listener.fetch.block_range import ChainLog
from paimon.domain.events import FundEvent, typed_event
from paimon.domain.events.log_status import LogStatus
from paimon.domain.kernel.chain import Address, ContractName
from paimon.infrastructure.blockchain.abi.contract_abi import ContractAbi, UndecodableLog, to_json_value
from paimon.infrastructure.text import strip_nul


class DecodedFields(NamedTuple):
    """The decoded columns of `raw_logs`: those that another version of this code may fill with other values."""

    contract: ContractName
    event: str | None
    args: dict[str, Any] | None
    request_id: int | None
    status: LogStatus
    reason: str | None


@dataclass(slots=True)
class DecodedLog:
    """A log with its event. `event` is None when no projection applies it."""

    log: ChainLog
    contract: ContractName
    status: LogStatus
    name: str | None = None
    values: dict[str, Any] | None = None
    event: FundEvent | None = None
    reason: str | None = None
    hints: dict[str, Any] | None = None
    """The indexed arguments of a log that does not decode, as far as its topics alone give them."""

    @property
    def args(self) -> dict[str, Any] | None:
        """The values as JSON stores them. Computed on demand, since a replay rarely needs them."""
        return None if self.values is None else to_json_value(self.values)

    @property
    def request_id(self) -> int | None:
        """The redemption request that the log is about: its timeline shows the log, even one that does not decode."""
        value = (self.values or self.hints or {}).get("requestId")
        return None if value is None else int(value)

    def quarantine(self, reason: str) -> None:
        """Keep the log with a reason and project nothing from it."""
        self.status, self.reason = LogStatus.QUARANTINED, reason

    def skip(self) -> None:
        """Keep the log and project nothing from it, as an operator decided."""
        self.status, self.reason, self.event = LogStatus.SKIPPED, None, None


def decode_log(log: ChainLog, names: Mapping[Address, ContractName], abis: Mapping[ContractName, ContractAbi]) -> DecodedLog:
    """Decode one log as far as its ABI allows. Never raises, for any log a contract emits."""
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
    decoded = DecodedLog(log, contract, LogStatus.QUARANTINED, hints=to_json_value(abis[contract].decode_topics(log.topics)))
    decoded.quarantine(reason)
    return decoded
