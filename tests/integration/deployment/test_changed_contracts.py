"""Nothing is signed while a contract is another program than before, until an administrator confirms the difference."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import text
from tests.support.api_client import ApiClient, fund_signing_rules, signed_body
from tests.support.chain.altered_contracts import code_at, make_proxy, set_code
from tests.support.chain.fund import TestFund
from tests.support.chain.recording import record_all
from tests.support.database_roles import acting_as
from tests.support.scenarios.sending import SendingHarness
from tests.support.sign_in import outcome
from tests.support.signed_grants import grant

from paimon.application.deployment.confirmation import undo_unsigned_confirmations
from paimon.application.deployment.examine import examine_contracts
from paimon.application.risk_control.queries import list_unresolved
from paimon.application.risk_control.record_findings import record_facts
from paimon.composition import AppContext
from paimon.domain.deployment.contract_change import change_subject
from paimon.domain.kernel.chain import Address, ContractName, checksum, parse_address
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.risk.resolution import resolution_content
from paimon.domain.risk.risk_event import Finding, RiskEvent, RiskKind, RiskStatus, Severity
from paimon.domain.transaction.lifecycle import IntentStatus
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.rights.roles import DatabaseRole

pytestmark = pytest.mark.integration

ELSEWHERE = Address(bytes.fromhex("e1" * 20))


async def examine(app_context: AppContext, fund: TestFund) -> list[RiskEvent]:
    """Examine the contracts at the final block, and return the changes that no one has confirmed."""
    await record_all(app_context, fund)
    assert await examine_contracts(app_context.database, app_context.contracts) is not None
    async with app_context.database.read() as session:
        return await list_unresolved(session, RiskKind.CONTRACT_CHANGED)


async def find_change(harness: SendingHarness, contract: ContractName, address: Address) -> RiskEvent:
    """Record a change as the worker's examination does when it finds one."""
    subject = change_subject(contract, address, block=1)
    finding = Finding(RiskKind.CONTRACT_CHANGED, subject, "code 0x01", "code 0x02", Severity.CRITICAL)
    async with harness.worker.write() as session:
        (event,) = await record_facts(session, [finding], block=1)
    return event


async def require_held(harness: SendingHarness, request_id: int, change: RiskEvent) -> None:
    """Drive, and check that nothing was signed because of the change."""
    await harness.make_due()
    await harness.drive(harness.keeper)
    waiting = await harness.intent(request_id)
    assert (waiting.status, waiting.attempts) == (IntentStatus.QUEUED, ())
    assert change.finding.subject in str(waiting.reason)
    assert f"resolve risk event {change.id}" in str(waiting.reason)


async def resolve(api_client: ApiClient, change: RiskEvent, *, by: str = "vera") -> Any:
    return await api_client.sign("resolve_risk_event", f"/risk/events/{change.id}", by=by)


async def test_nothing_is_signed_for_a_changed_contract_until_an_administrator_confirms_it(
    app_context: AppContext, api_client: ApiClient, harness: SendingHarness
) -> None:
    fund, manager = harness.fund, harness.fund.addresses.redemption_manager
    request_id = harness.due_request()
    assert await examine(app_context, fund) == []
    make_proxy(fund, manager, ELSEWHERE)
    (change,) = await examine(app_context, fund)
    assert f"RedemptionManager {checksum(manager)} at block" in change.finding.subject
    await harness.queue_settlement(request_id)
    before = harness.nonce_on_chain(harness.keeper)
    await require_held(harness, request_id, change)
    # Acknowledged is not confirmed, and an operator may do no more.
    await api_client.post(f"/risk/events/{change.id}/acknowledge", by="vera")
    assert outcome(await resolve(api_client, change, by="otto")) == (403, "FORBIDDEN")
    await require_held(harness, request_id, change)
    assert harness.nonce_on_chain(harness.keeper) == before
    assert (await resolve(api_client, change)).status_code == 200
    # What a person confirmed stays confirmed when they leave.
    await grant(app_context.database, fund, "vera", None)
    async with harness.worker.write() as session:
        assert await undo_unsigned_confirmations(session, app_context.signing_rules.scope) == []
    await harness.drive_until_idle(harness.keeper)
    assert (await harness.intent(request_id)).status is IntentStatus.FINAL


@pytest.mark.parametrize("contract", ["asset_controller", "vault"])
async def test_change_of_a_contract_that_is_reached_through_another_holds_the_call(
    app_context: AppContext, api_client: ApiClient, harness: SendingHarness, contract: str
) -> None:
    """The settlement's call is the RedemptionManager's, and moves the money of the others."""
    fund, address = harness.fund, getattr(harness.fund.addresses, contract)
    request_id = harness.due_request()
    assert await examine(app_context, fund) == []
    set_code(fund, address, code_at(fund, address) + b"\x00")
    (change,) = await examine(app_context, fund)
    assert checksum(address) in change.finding.subject
    await harness.queue_settlement(request_id)
    await require_held(harness, request_id, change)
    assert (await resolve(api_client, change)).status_code == 200
    await harness.drive_until_idle(harness.keeper)
    assert (await harness.intent(request_id)).status is IntentStatus.FINAL


async def test_stuck_call_of_a_changed_contract_is_not_replaced_but_can_be_cancelled(
    app_context: AppContext, api_client: ApiClient, harness: SendingHarness
) -> None:
    impatient, request_id = harness.with_options(stuck_seconds=0), harness.due_request()
    intent_id = (await harness.queue_settlement(request_id)).id
    with harness.fund.stopped_mining():
        await harness.drive(harness.keeper)
        change = await find_change(harness, ContractName.VAULT, harness.fund.addresses.vault)
        await impatient.drive(harness.keeper)
        assert (await api_client.sign("speed_up", f"/transactions/intents/{intent_id}", by="vera")).status_code == 202
        await impatient.drive(harness.keeper)
        stuck = await harness.intent(request_id)
        assert len(stuck.attempts) == 1, "neither in time nor by a person who speeds it up"
        assert f"resolve risk event {change.id}" in str(stuck.reason)
        assert (await api_client.sign("cancel", f"/transactions/intents/{intent_id}", by="vera")).status_code == 202
        await impatient.drive(harness.keeper)
        attempts = (await harness.intent(request_id)).attempts
        assert [attempt.is_cancellation for attempt in attempts] == [False, True]
    await harness.drive_until_idle(harness.keeper)
    assert (await harness.intent(request_id)).status is IntentStatus.CANCELLED


@dataclass(frozen=True)
class Forgery:
    """What a row of a signed action says, beside whom it names."""

    document: Any
    signature: bytes
    nonce: bytes
    expires_at: str


async def forge(app_context: AppContext, change: RiskEvent, named: str, forgery: Forgery, fund: TestFund) -> None:
    """Resolve the event with the API's rights in the database alone."""
    values = {
        "id": change.id,
        "resource": f"/risk/events/{change.id}",
        "signer": parse_address(fund.accounts.address(named)),
        "document": json.dumps(forgery.document),
        "signature": forgery.signature,
        "nonce": forgery.nonce,
        "expires_at": forgery.expires_at,
    }
    async with acting_as(DatabaseRole.API, app_context.database) as database, database.write() as session:
        await session.execute(
            text("""
                INSERT INTO ops.signed_actions (nonce, action, resource, signer, typed_data, signature, expires_at)
                VALUES (:nonce, 'resolve_risk_event', :resource, :signer, CAST(:document AS jsonb), :signature,
                        CAST(CAST(:expires_at AS text) AS timestamptz))
            """),
            values,
        )
        await session.execute(
            text("UPDATE ops.risk_events SET status = 'RESOLVED', resolved_at = now(), resolved_by = :signer WHERE id = :id"),
            values,
        )


def signed_by(fund: TestFund, name: str, event: RiskEvent, *, now: datetime, scope: SigningScope | None = None) -> Forgery:
    """Return what this person really signed: the resolution of an event, for this fund or another one."""
    rules = fund_signing_rules(fund)
    terms = rules.new_terms(now)
    document = resolution_content(event).document("a test", terms, scope or rules.scope)
    signature = signed_body(document, fund.accounts.account(name), reason="a test")["signature"]
    return Forgery(document, bytes.fromhex(signature[2:]), terms.nonce, terms.expires_at.isoformat())


async def test_forged_confirmation_confirms_nothing_and_is_undone(
    app_context: AppContext, api_client: ApiClient, harness: SendingHarness
) -> None:
    """With the API's rights in the database alone, a row of a signed action and the status RESOLVED let signing go on."""
    fund, rules, request_id = harness.fund, fund_signing_rules(harness.fund), harness.due_request()
    change = await find_change(harness, ContractName.VAULT, fund.addresses.vault)
    other = await find_change(harness, ContractName.ASSET_CONTROLLER, fund.addresses.asset_controller)
    assert (await resolve(api_client, other)).status_code == 200
    async with app_context.database.read() as session:
        now = await database_now(session)
    elsewhere = SigningScope(56, rules.scope.redemption_manager)
    forgeries = {
        "nothing signed": ("vera", Forgery({}, bytes(65), b"\x01" * 32, now.isoformat())),
        "no document": ("vera", Forgery([1], b"", b"\x02" * 32, "infinity")),
        "an operator's signature": ("otto", signed_by(fund, "otto", change, now=now)),
        "an operator's signature in an administrator's name": ("vera", signed_by(fund, "otto", change, now=now)),
        "an administrator's signature over another event": ("vera", signed_by(fund, "vera", other, now=now)),
        "an administrator's signature for another chain": ("vera", signed_by(fund, "vera", change, now=now, scope=elsewhere)),
    }
    await harness.queue_settlement(request_id)
    for case, (named, forgery) in forgeries.items():
        await forge(app_context, change, named, forgery, fund)
        await require_held(harness, request_id, change)
        async with harness.worker.write() as session:
            (undone,) = await undo_unsigned_confirmations(session, rules.scope)
        assert (undone.id, undone.status, undone.resolved) == (change.id, RiskStatus.OPEN, None), case
    assert (await resolve(api_client, change)).status_code == 200
    async with harness.worker.write() as session:
        assert await undo_unsigned_confirmations(session, rules.scope) == []
    await harness.drive_until_idle(harness.keeper)
    assert (await harness.intent(request_id)).status is IntentStatus.FINAL
