"""Recorded logs: what was recorded of each, and how the present code decodes it."""

from collections.abc import Sequence, Set
from decimal import Decimal
from typing import Final, NamedTuple

import orjson

from paimon.application.common.log_id import LogId
from paimon.application.event_listener.fetch.block_range import ChainLog
from paimon.application.event_listener.fetch.decode import DecodedLog, decode_log
from paimon.application.event_listener.record.json_text import json_text
from paimon.domain.chain.tracked_contracts import ContractOrigin, TrackedContracts
from paimon.domain.kernel.chain import checksum
from paimon.domain.risk.operator_decision import LogKey
from paimon.errors import StartupError
from paimon.infrastructure.blockchain.contracts.fund import FundContracts


class ForeignLogs(StartupError):
    """A recorded log is of a contract that the settings do not name: it is of another fund, or a setting is missing."""


BEFORE_FIRST_LOG: Final = LogId(-1, -1)


class RecordedLog(NamedTuple):
    """A log as the node returned it, and the decoded columns as the driver returns them."""

    log: ChainLog
    contract: str
    event: str | None
    args: str | None
    request_id: Decimal | None
    status: str
    reason: str | None

    @property
    def id(self) -> LogId:
        return LogId(self.log.block.number, self.log.log_index)

    def matches_decoding(self, decoded: DecodedLog) -> bool:
        """Return whether the recorded columns equal those of a new decoding."""
        return (
            self.event == decoded.name
            and self.status == decoded.status
            and self.contract == decoded.contract
            and self.reason == decoded.reason
            and self.request_id == decoded.request_id
            and (
                self.args == json_text(decoded.values)
                or (None if self.args is None else orjson.loads(self.args)) == decoded.args
            )
        )


def redecode_logs(
    recorded: Sequence[RecordedLog], contracts: FundContracts, tracked: TrackedContracts, skipped: Set[LogKey] = frozenset()
) -> list[DecodedLog]:
    """Decode logs with the present ABIs; those that operators decided to skip are marked as skipped.

    Raises:
        ForeignLogs: a log is of a contract that is neither in the settings nor discovered by an event.
    """
    names = {
        contract.address: contract.contract
        for contract in tracked.contracts.values()
        if contract.origin is not ContractOrigin.SETTINGS
    }
    names |= contracts.addresses.names()
    if unknown_addresses := {entry.log.address for entry in recorded} - names.keys():
        first = next(entry.log for entry in recorded if entry.log.address in unknown_addresses)
        raise ForeignLogs(
            f"block {first.block} has a recorded log of {checksum(first.address)}, which is none of the"
            " contracts in PAIMON_FUND__…: the settings are of another fund than the recorded logs"
        )
    logs = [decode_log(entry.log, names, contracts.abis) for entry in recorded]
    if skipped:
        for decoded in logs:
            if LogKey(decoded.log.block.hash, decoded.log.log_index) in skipped:
                decoded.skip()
    return logs
