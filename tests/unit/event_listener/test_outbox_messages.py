"""The outbox messages that a batch of logs makes due. Source: docs/concepts/fund.md, "Event priorities for reactions"."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.factories.strategies import address, stamp

from paimon.application.common.topics import CONTRACTS, FUND, RECONCILE, REDEMPTION, WHOLE_FUND
from paimon.application.event_listener.fetch.block_range import ChainLog
from paimon.application.event_listener.fetch.decode import DecodedLog
from paimon.application.event_listener.record.outbox_messages import DueMessage, due_messages
from paimon.domain.events.log_status import LogStatus
from paimon.domain.kernel.chain import ContractName, Hash32
from paimon.domain.operations.outbox import OutboxPriority
from paimon.infrastructure.blockchain.abi.contract_abi import load_abi

pytestmark = pytest.mark.unit

CRITICAL = {
    "EmergencyModeChanged",
    "CriticalLiquidityAlert",
    "LowLiquidityAlert",
    "Paused",
    "Unpaused",
    "RoleGranted",
    "RoleRevoked",
    "Upgraded",
    "BeaconUpgraded",
    "AdminChanged",
}
UPGRADES = {"Upgraded", "BeaconUpgraded", "AdminChanged"}
HIGH = {
    "RedemptionRequested",
    "RedemptionApproved",
    "RedemptionRejected",
    "NavUpdated",
    "WaterfallLiquidation",
    "OrderPaid",
    "LayerConfigUpdated",
}
SHIPPED = {
    entry.name
    for contract in ("Vault", "RedemptionManager", "AssetController", "OTCManager")
    for entry in load_abi(contract).events_by_topic.values()
}
RANK = [OutboxPriority.CRITICAL, OutboxPriority.HIGH, OutboxPriority.NORMAL]


def decoded_log(
    name: str | None, *, request_id: int | None = None, block: int = 1, status: LogStatus = LogStatus.APPLIED
) -> DecodedLog:
    """Return a decoded log with only the fields that messages depend on."""
    log = ChainLog(stamp(block), 0, Hash32(bytes(32)), 0, address(1), (), b"")
    args = {} if request_id is None else {"requestId": str(request_id)}
    return DecodedLog(log, ContractName.REDEMPTION_MANAGER, status, name, args)


def urgency(name: str) -> OutboxPriority:
    return OutboxPriority.CRITICAL if name in CRITICAL else OutboxPriority.HIGH if name in HIGH else OutboxPriority.NORMAL


def test_priority_table_names_only_existing_events() -> None:
    assert SHIPPED >= CRITICAL | HIGH


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_message_has_its_events_priority(name: str) -> None:
    message, *others = due_messages([decoded_log(name)])
    assert (message.kind, message.priority) == (FUND, urgency(name))
    assert [(other.kind, other.priority) for other in others] == [(CONTRACTS, urgency(name))] * (name in UPGRADES)


LOGS = st.lists(
    st.builds(
        decoded_log,
        st.one_of(st.none(), st.sampled_from(sorted(SHIPPED))),
        request_id=st.one_of(st.none(), st.integers(1, 4)),
        block=st.integers(1, 50),
        status=st.sampled_from(LogStatus),
    ),
    max_size=12,
)


def by_aggregate(messages: Iterable[DueMessage]) -> dict[tuple[str, str], DueMessage]:
    return {(message.kind, message.aggregate_id): message for message in messages}


@given(LOGS)
def test_aggregate_gets_one_message_at_its_most_urgent_events_priority(logs: list[DecodedLog]) -> None:
    messages = due_messages(logs)
    found = by_aggregate(messages)
    assert len(found) == len(messages)
    applied = [log for log in logs if log.name and log.status is LogStatus.APPLIED]
    requests = {(REDEMPTION, str(log.request_id)) for log in applied if log.request_id is not None}
    quarantined = [log.log.block.number for log in logs if log.status is LogStatus.QUARANTINED]
    expected = requests | ({(FUND, WHOLE_FUND)} if applied else set())
    if any(log.name in UPGRADES for log in applied):
        expected |= {(CONTRACTS, WHOLE_FUND)}
    assert set(found) == expected | ({(RECONCILE, WHOLE_FUND)} if quarantined else set())
    reconciliation = found.pop((RECONCILE, WHOLE_FUND), None)
    assert reconciliation is None or reconciliation.payload == {"block": max(quarantined)}
    for (kind, aggregate), message in found.items():
        about = UPGRADES if kind == CONTRACTS else SHIPPED
        names = [log.name for log in applied if log.name in about and (kind != REDEMPTION or str(log.request_id) == aggregate)]
        assert message.payload["events"] == list(dict.fromkeys(names))
        assert RANK.index(message.priority) == min(RANK.index(urgency(str(name))) for name in names)
        assert message.payload["block"] == max(log.log.block.number for log in applied)


def test_quarantined_log_queues_a_reconciliation_and_unknown_log_queues_nothing() -> None:
    quarantined = decoded_log("RedemptionSettled", request_id=1, block=7, status=LogStatus.QUARANTINED)
    unknown = decoded_log(None, block=9, status=LogStatus.UNKNOWN)
    assert due_messages([quarantined, unknown]) == [DueMessage(RECONCILE, WHOLE_FUND, OutboxPriority.HIGH, {"block": 7})]
