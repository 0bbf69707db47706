"""Every endpoint × who asks: roles here, a role on chain, API keys, no one. A new endpoint fails this test until it is here.

The expected answers come from the table of permissions; the endpoints, from the OpenAPI document.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

import httpx
import pytest
from sqlalchemy import update
from tests.integration.rest.test_api_head import EXAMPLES
from tests.support.api_client import (
    BLOCK_TIME,
    ApiClient,
    add_block,
    api_client_for,
    grant_approver_role,
    request_row,
    running_app,
    seed_users,
)
from tests.support.chain.fund import TestFund

from paimon.application.approval_workflow.open_ticket import open_ticket_if_needed
from paimon.domain.approval.first_policy import FIRST_POLICY, FIRST_POLICY_DOCUMENT
from paimon.domain.kernel.chain import parse_address
from paimon.domain.operations.outbox import OutboxPriority
from paimon.domain.redemption.request import RedemptionStatus
from paimon.domain.risk.risk_event import RiskKind, RiskStatus, Severity
from paimon.domain.user.roles import PERMISSIONS, ChainRole, Permission, User, UserRole
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.approval_policy import ApprovalPolicyDraftRow
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.models.ops.transaction import WalletRow
from paimon.infrastructure.database.models.ops.user import SessionRow
from paimon.infrastructure.database.rows.redemption import to_domain
from paimon.infrastructure.database.sessions import Database
from paimon.settings import Settings
from paimon_devkit.stack.accounts import USER_ROLES

pytestmark = pytest.mark.integration


class Access(Enum):
    """Who may use an endpoint that no single permission describes."""

    OPEN = auto()
    """Anyone, without a token."""
    PERSON = auto()
    """Anyone who signed in, but no program."""
    LINK = auto()
    """Anyone with a link, which the test has not; an access token is checked if one is sent, and a program is refused."""


@dataclass(frozen=True)
class Signed:
    """The permission that a use needs, each with a signature: the endpoint refuses a program before it reads the body."""

    permission: Permission


READ = Permission.READ
_VOTE = Signed(Permission.DECIDE_APPROVAL)
_OF_TRANSACTION = Signed(Permission.HANDLE_TRANSACTIONS)
_OF_LOG = Signed(Permission.HANDLE_QUARANTINE)

CHANGES: Final[dict[str, Access | Permission | Signed]] = {
    "issueChallenge": Access.OPEN,
    "verifyChallenge": Access.OPEN,
    "refreshTokens": Access.OPEN,
    "signOut": Access.PERSON,
    "endAllSessions": Access.PERSON,
    "endSession": Access.PERSON,
    "endUserSessions": Permission.MANAGE_USERS,
    "createApiKey": Access.PERSON,
    "revokeApiKey": Access.PERSON,
    "approveRedemption": _VOTE,
    "rejectRedemption": _VOTE,
    "approveTicket": _VOTE,
    "rejectTicket": _VOTE,
    "cancelTicket": Signed(Permission.EXECUTE_PLAN),
    "settleRedemption": Signed(Permission.SETTLE),
    "speedUpIntent": _OF_TRANSACTION,
    "cancelIntent": _OF_TRANSACTION,
    "retryIntent": _OF_TRANSACTION,
    "clearWalletFault": _OF_TRANSACTION,
    "submitPlan": Signed(Permission.EXECUTE_PLAN),
    "previewPlan": Permission.EXECUTE_PLAN,
    "executeRebalance": Signed(Permission.EXECUTE_PLAN),
    "previewRebalance": Permission.EXECUTE_PLAN,
    "reverseRebalance": Permission.EXECUTE_PLAN,
    "signProposal": Signed(Permission.SIGN_PROPOSALS),
    "rejectProposal": Permission.SIGN_PROPOSALS,
    "proposeSignedAction": Signed(READ),  # by action: see PROPOSALS
    "previewUserChange": Permission.MANAGE_USERS,
    "changeUser": Permission.MANAGE_USERS,
    "standDownEmergency": Signed(Permission.HANDLE_EMERGENCY),
    "declineEmergencyStep": Signed(Permission.HANDLE_EMERGENCY),
    "startDrill": Signed(Permission.HANDLE_EMERGENCY),
    "signDrillStep": Signed(READ),  # of the cold Safe's owners
    "previewStandIn": Signed(READ),
    "nameStandIn": Signed(READ),
    "endStandIn": Signed(READ),
    "previewAssetProfile": Permission.ADMINISTER_FUND,
    "setAssetProfile": Permission.ADMINISTER_FUND,
    "erasePerson": Signed(Permission.MANAGE_USERS),
    "dryRunThresholds": Access.PERSON,
    "dryRunPolicy": Access.PERSON,
    "createPolicyDraft": Permission.MANAGE_POLICY,
    "changePolicyDraft": Permission.MANAGE_POLICY,
    "removePolicyDraft": Permission.MANAGE_POLICY,
    "publishPolicy": Signed(Permission.MANAGE_POLICY),
    "runStressTest": Permission.HANDLE_RISK,
    "tryGate": Permission.HANDLE_RISK,
    "testNotificationChannel": Permission.HANDLE_RISK,
    "replayNotification": Permission.HANDLE_RISK,
    "changeNotificationPreferences": Access.PERSON,
    "createAcknowledgementLink": Permission.HANDLE_RISK,
    "acknowledgeByLink": Access.LINK,
    "acknowledgeRiskEvent": Permission.HANDLE_RISK,
    "resolveRiskEvent": Signed(Permission.HANDLE_RISK),
    "replayOutboxMessage": Signed(Permission.REPLAY_MESSAGES),
    "releaseQuarantinedLog": _OF_LOG,
    "skipQuarantinedLog": _OF_LOG,
}
"""Every endpoint that changes something, by the name of its operation."""

READS: Final[dict[str, Access | Permission | Signed]] = {
    "listTokenKeys": Access.OPEN,
    "getHealth": Access.OPEN,
    "getLiveness": Access.OPEN,
    "getReadiness": Access.OPEN,
    "getAcknowledgementLink": Access.LINK,
    "getSignedInUser": Access.PERSON,
    "listSessions": Access.PERSON,
    "listApiKeys": Access.PERSON,
    "listUserSessions": Permission.MANAGE_USERS,
    "listAuditEntries": Permission.READ_AUDIT,
    "getAuditEntry": Permission.READ_AUDIT,
    "listTicketAuditLogs": Permission.READ_AUDIT,
    "listAuditRoots": Permission.READ_AUDIT,
    "getAuditConsistency": Permission.READ_AUDIT,
}
"""Every endpoint that reads something and that not any user may use, or that more than users may. All others need READ."""

PROPOSALS: Final = {
    "approve_redemption": ("/approvals/TKT-R000002", Permission.DECIDE_APPROVAL),
    "reject_redemption": ("/approvals/TKT-R000002", Permission.DECIDE_APPROVAL),
    "settle_redemption": ("/redemptions/1", Permission.SETTLE),
    "resolve_risk_event": ("/risk/events/1", Permission.HANDLE_RISK),
    "replay_message": ("/system/outbox/1", Permission.REPLAY_MESSAGES),
    "publish_policy": ("/policy/drafts/1", Permission.MANAGE_POLICY),
    "erase_person": ("/users/{wallet}", Permission.MANAGE_USERS),
    "clear_fault": ("/wallets/{wallet}", Permission.HANDLE_TRANSACTIONS),
}
"""Signed actions whose resource the test makes, and the permission that a person needs to get the document."""


@dataclass(frozen=True)
class Asker:
    """Who asks: a person with a role here and perhaps one on chain, or a program with an API key."""

    name: str
    user: User | None = None
    held: frozenset[ChainRole] = frozenset()
    key: frozenset[Permission] | None = None

    def may(self, access: Access | Permission | Signed) -> bool:
        match access:
            case Access.OPEN:
                return True
            case Access.LINK:
                return self.key is None
            case Access.PERSON:
                return self.user is not None and self.key is None
            case Signed():  # without a signature it ends with 400, 404 or 409: the body is read before the right
                return self.user is not None and self.key is None
            case permission:
                return self.has(permission)

    def has(self, permission: Permission) -> bool:
        if self.user is None or any(self.user.faults(permission, self.held)):
            return False
        return self.key is None or (permission in self.key and not PERMISSIONS[permission].is_signed)


APPROVER: Final = frozenset({rule.on_chain for rule in PERMISSIONS.values() if rule.on_chain is not None})
ON_CHAIN: Final = ("vera", "otto", "willa")
"""Who holds the approver's role on chain: alone it gives nothing."""


@pytest.fixture
async def client(settings: Settings, database: Database, fund: TestFund) -> AsyncIterator[ApiClient]:
    await seed_users(database, fund)
    await grant_approver_role(database, fund.accounts, *ON_CHAIN)
    await _seed_resources(database, fund, settings)
    wide = {"requests_burst_per_person": 10_000, "requests_burst_per_address": 10_000, "sign_ins_burst_per_address": 10_000}
    roomy = settings.model_copy(update={"api": settings.api.model_copy(update=wide)})
    async with running_app(roomy) as app, api_client_for(app, roomy, fund.accounts) as opened:
        yield opened


async def _seed_resources(database: Database, fund: TestFund, settings: Settings) -> None:
    ines = parse_address(fund.accounts.address("ines"))
    due = {"requires_approval": False, "status": RedemptionStatus.PENDING, "settlement_at": BLOCK_TIME}
    async with database.write() as session:
        await add_block(session, 1)
        waiting = request_row(2, owner=ines)
        session.add_all([request_row(1, owner=ines, **due), waiting])
        session.add(WalletRow(address=settings.sending.keeper, name="keeper", next_nonce=4, fault="nonce 3 was used elsewhere"))
        session.add(
            OutboxMessageRow(
                kind="x", aggregate_id="1", payload={}, priority=OutboxPriority.HIGH, dead_lettered_at=BLOCK_TIME, attempts=1
            )
        )
        session.add(
            RiskEventRow(
                kind=RiskKind.NAV_UNEXPLAINED,
                subject="NAV",
                observed="7",
                expected="0",
                severity=Severity.WARNING,
                status=RiskStatus.OPEN,
                owner_role=UserRole.OPERATOR,
                first_seen_at=BLOCK_TIME,
                first_seen_block=1,
                last_seen_at=BLOCK_TIME,
                last_seen_block=1,
            )
        )
        draft = {"based_on": 1, "title": "as it is", "document": FIRST_POLICY_DOCUMENT}
        session.add(ApprovalPolicyDraftRow(**draft, changed_by=ines, changed_at=BLOCK_TIME))
        await session.flush()
        await open_ticket_if_needed(session, to_domain(waiting), FIRST_POLICY, now=await database_now(session))


async def askers(client: ApiClient) -> dict[Asker, dict[str, str]]:
    """Return everyone who asks, with the headers of their requests."""
    found: dict[Asker, dict[str, str]] = {Asker("no one"): {}}
    for name, role in USER_ROLES.items():
        user = User(parse_address(client.accounts.address(name)), role, name)
        found[Asker(name, user, APPROVER if name in ON_CHAIN else frozenset())] = client.headers(name)
    for listed in ({READ}, {READ, Permission.HANDLE_RISK}):
        body = {"name": "matrix", "permissions": sorted(listed)}
        made = await client.post("/api-keys", body, by="ada")
        ada = User(parse_address(client.accounts.address("ada")), UserRole.SUPER_ADMIN, "ada")
        key = {"Authorization": f"Bearer {made.json()['data']['key']}"}
        found[Asker(f"key of ada with {', '.join(sorted(listed))}", ada, key=frozenset(listed))] = key
    return found


def operations(client: ApiClient, document: dict[str, Any]) -> dict[str, tuple[str, str, bool]]:
    """Return method, path and whether there is a body, by the operation's name."""
    return {
        operation["operationId"]: (method.upper(), path.format_map(EXAMPLES), "requestBody" in operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if not method.startswith("x-")
    }


def expected_refusal(asker: Asker, access: Access | Permission | Signed) -> int | None:
    if asker.may(access):
        return None
    return 401 if asker.user is None else 403


def refusal(answer: httpx.Response) -> int | None:
    return answer.status_code if answer.status_code in (401, 403) else None


async def reopen_sessions(database: Database) -> None:
    """Undo what the endpoints that end sessions did."""
    async with database.write() as session:
        await session.execute(update(SessionRow).values(ended_at=None, end_reason=None))


async def test_every_endpoint_lets_in_exactly_whom_the_permissions_say(client: ApiClient, database: Database) -> None:
    document = (await client.client.get("/api/openapi.json")).json()
    offered = operations(client, document)
    changing = {name for name, (method, _, _) in offered.items() if method != "GET"}
    assert changing == CHANGES.keys(), "say in CHANGES who may use a new endpoint"
    assert READS.keys() <= offered.keys() - changing
    differences = []
    for asker, headers in (await askers(client)).items():
        for name, (method, path, has_body) in offered.items():
            access = (CHANGES | READS).get(name, READ)
            answer = await client.client.request(method, path, headers=headers, json={} if has_body else None)
            found, expected = refusal(answer), expected_refusal(asker, access)
            if access is Access.OPEN and name in ("verifyChallenge", "refreshTokens"):
                expected = found  # what they are sent is itself the proof, and `{}` is none
            if found != expected or (answer.status_code >= 500 and answer.status_code != 503):
                differences.append(f"{asker.name}: {name} answers {answer.status_code}, not {expected or 'anything else'}")
            if method == "DELETE" or name == "signOut":
                await reopen_sessions(database)
    assert differences == []
    assert len(offered) > 65


async def test_document_to_sign_is_given_to_exactly_whom_the_permissions_say(client: ApiClient) -> None:
    differences = []
    wallet = client.accounts.address("keeper")
    for asker, headers in (await askers(client)).items():
        for action, (resource, permission) in PROPOSALS.items():
            body = {"action": action, "resource": resource.format(wallet=wallet), "reason": "matrix"}
            answer = await client.client.post("/api/v1/signed-actions", json=body, headers=headers)
            allowed = asker.has(permission) and asker.key is None
            expected = 200 if allowed else 401 if asker.user is None else 403
            if answer.status_code != expected:
                differences.append(f"{asker.name}: {action} answers {answer.status_code}, not {expected}: {answer.text[:200]}")
    assert differences == []
