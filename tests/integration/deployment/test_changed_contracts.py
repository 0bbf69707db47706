"""Nothing is signed for a contract that is another program than before, until a person confirms the difference."""

import pytest
from tests.support.api_client import ApiClient
from tests.support.chain.altered_contracts import code_at, make_proxy, set_code
from tests.support.chain.fund import TestFund
from tests.support.chain.recording import record_all
from tests.support.scenarios.sending import SendingHarness

from paimon.application.deployment.examine import examine_contracts
from paimon.application.risk_control.queries import list_unresolved
from paimon.composition import AppContext
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.risk.risk_event import RiskEvent, RiskKind
from paimon.domain.transaction.lifecycle import IntentStatus

pytestmark = pytest.mark.integration

ELSEWHERE = Address(bytes.fromhex("e1" * 20))


async def examine(app_context: AppContext, fund: TestFund) -> list[RiskEvent]:
    """Examine the contracts at the final block, and return the changes that no one has confirmed."""
    await record_all(app_context, fund)
    assert await examine_contracts(app_context.database, app_context.contracts) is not None
    async with app_context.database.read() as session:
        return await list_unresolved(session, RiskKind.CONTRACT_CHANGED)


async def test_nothing_is_signed_for_a_changed_contract_until_a_person_confirms_it(
    app_context: AppContext, api_client: ApiClient, harness: SendingHarness
) -> None:
    fund, manager = harness.fund, harness.fund.addresses.redemption_manager
    request_id = harness.due_request()
    assert await examine(app_context, fund) == []
    make_proxy(fund, manager, ELSEWHERE)
    (change,) = await examine(app_context, fund)
    await harness.queue_settlement(request_id)
    before = fund.node.rpc.call("eth_getTransactionCount", checksum(harness.keeper), "latest")
    for _ in range(2):
        await harness.make_due()
        await harness.drive(harness.keeper)
        waiting = await harness.intent(request_id)
        assert waiting.status is IntentStatus.QUEUED
        assert not waiting.attempts
        assert f"RedemptionManager {checksum(manager)} at block" in str(waiting.reason)
        assert f"resolve risk event {change.id}" in str(waiting.reason)
        # Acknowledged is not confirmed.
        await api_client.post(f"/risk/events/{change.id}/acknowledge", by="vera")
    assert fund.node.rpc.call("eth_getTransactionCount", checksum(harness.keeper), "latest") == before
    assert (await api_client.sign("resolve_risk_event", f"/risk/events/{change.id}", by="vera")).status_code == 200
    await harness.drive_until_idle(harness.keeper)
    assert (await harness.intent(request_id)).status is IntentStatus.FINAL


async def test_change_of_another_contract_keeps_nothing_waiting(
    app_context: AppContext, api_client: ApiClient, harness: SendingHarness
) -> None:
    fund = harness.fund
    request_id = harness.due_request()
    assert await examine(app_context, fund) == []
    controller = fund.addresses.asset_controller
    set_code(fund, controller, code_at(fund, controller) + b"\x00")
    (change,) = await examine(app_context, fund)
    assert change.finding.subject.startswith("AssetController")
    await harness.queue_settlement(request_id)
    await harness.drive_until_idle(harness.keeper)
    assert (await harness.intent(request_id)).status is IntentStatus.FINAL
