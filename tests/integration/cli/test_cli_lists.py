"""Lists of `paimon`: the rows and the JSON of the REST lists, filters and pages, and what an empty one says."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from tests.support.api_client import BLOCK_TIME, ApiClient, add_block, request_row
from tests.support.chain.fund import TestFund
from tests.support.cli_processes import CliRunner, environment_at_a_terminal
from tests.support.factories.rows import insert_row
from tests.support.scenarios.fund_activity import FundActivity, snapshot_now

from paimon.application.approval_workflow.open_ticket import open_ticket_if_needed
from paimon.application.redemptions.store import find_redemption
from paimon.composition import AppContext
from paimon.domain.approval.first_policy import FIRST_POLICY
from paimon.domain.kernel.chain import Address, parse_address
from paimon.domain.redemption.request import RedemptionChannel, RedemptionStatus
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.derived import BlockRow, RawLogRow
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.models.ops.plan import PlanRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow, WalletRow
from paimon.infrastructure.database.sessions import Database

pytestmark = pytest.mark.integration


class Lists:
    """The command line and the API over the same database."""

    def __init__(self, cli: CliRunner, app_context: AppContext, api_client: ApiClient) -> None:
        self._cli, self._api_client = cli, api_client
        self._env = environment_at_a_terminal(app_context.settings)

    async def text(self, line: str, *, code: int = 0) -> str:
        process = self._cli.start(*line.split(), env=self._env)
        assert await asyncio.to_thread(process.wait) == code, process.output_text
        return process.output_text

    async def json(self, line: str) -> Any:
        return json.loads(await self.text(f"{line} --json"))

    async def rest(self, path: str, **query: Any) -> Any:
        answer = await self._api_client.get(path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]


@pytest.fixture
def lists(cli: CliRunner, app_context: AppContext, api_client: ApiClient) -> Lists:
    return Lists(cli, app_context, api_client)


def comparable(document: Any) -> Any:
    """Return a document without its cursor, and without what depends on the second it was made in."""
    if isinstance(document, dict):
        left_out = {"nextCursor", "ageSeconds", "remainingSeconds"}
        return {name: comparable(value) for name, value in document.items() if name not in left_out}
    return [comparable(item) for item in document] if isinstance(document, list) else document


@pytest.fixture
async def three_requests(api_client: ApiClient, app_context: AppContext) -> Address:
    """Record three requests of two owners, the first with a ticket; return the owner of two of them."""
    ines, ivan = (parse_address(api_client.accounts.address(name)) for name in ("ines", "ivan"))
    small = {"requires_approval": False, "status": RedemptionStatus.PENDING, "settlement_at": BLOCK_TIME + timedelta(days=7)}
    async with app_context.database.write() as session:
        await add_block(session, 1)
        session.add(request_row(1, owner=ines))
        session.add(request_row(2, owner=ivan, requested_at=BLOCK_TIME + timedelta(days=1), **small))
        scheduled = {"channel": RedemptionChannel.SCHEDULED, "window_id": 202606}
        session.add(request_row(3, owner=ines, requested_at=BLOCK_TIME + timedelta(days=2), **scheduled, **small))
    async with app_context.database.write() as session:
        redemption = await find_redemption(session, 1)
        assert redemption is not None
        policy = FIRST_POLICY
        await open_ticket_if_needed(session, redemption, policy, now=await database_now(session))
    return ines


async def test_redemptions_are_filtered_and_paged_as_over_rest(lists: Lists, three_requests: Address) -> None:
    owner = "0x" + three_requests.hex()
    filters: dict[str, dict[str, Any]] = {
        "": {},
        "--status pending_approval": {"status": "PENDING_APPROVAL"},
        "--channel SCHEDULED": {"channel": "SCHEDULED"},
        f"--owner {owner}": {"owner": owner},
        "--from 2026-03-03": {"startDate": "2026-03-03"},
        "--from 2026-03-03 --to 2026-03-03": {"startDate": "2026-03-03", "endDate": "2026-03-03"},
        "--limit 2 --page 2": {"pageSize": 2, "page": 2},
    }
    for options, query in filters.items():
        assert await lists.json(f"redemptions {options}") == comparable(await lists.rest("/redemptions", **query)), options
    heading, *rows, place = (await lists.text("redemptions --limit 2")).splitlines()
    assert heading.split()[:4] == ["ID", "STATUS", "CHANNEL", "OWNER"]
    assert [row.split()[:3] for row in rows] == [["3", "PENDING", "SCHEDULED"], ["2", "PENDING", "STANDARD"]]
    assert place == "1 to 2 of 3 redemption requests; `--page 2` shows more"
    assert (await lists.text("redemptions --limit 2 --page 2")).splitlines()[-1] == "3 to 3 of 3 redemption requests"
    assert (
        await lists.text(f"redemptions --page {10**30}")
        == f"page {10**30} is past the end: there are 3 redemption requests on 1 pages\n"
    )
    assert await lists.text("redemptions --status settled") == "no redemption requests match\n"


async def test_approvals_are_listed_as_over_rest(lists: Lists, three_requests: Address) -> None:
    listed = comparable(await lists.json("approvals --status pending"))
    assert listed == comparable(await lists.rest("/approvals", status="PENDING"))
    assert [ticket["id"] for ticket in listed["items"]] == ["TKT-R000001"]
    assert "TKT-R000001  PENDING" in await lists.text("approvals")
    assert await lists.text("approvals --status rejected") == "no approval tickets match\n"


async def test_holders_transactions_and_nav_are_listed_as_over_rest(
    lists: Lists, app_context: AppContext, fund: TestFund
) -> None:
    await snapshot_now(app_context, fund)
    first = (await lists.rest("/fund/holders"))["asOf"]["number"]
    FundActivity(fund).deposit("ivan", 500)
    await snapshot_now(app_context, fund)
    ivan = fund.accounts.address("ivan")
    for command, path, query in (
        ("holders", "/fund/holders", {}),
        (f"holders --block {first} --limit 2", "/fund/holders", {"block": first, "pageSize": 2}),
        (f"holders --holder {ivan}", "/fund/holders", {"holder": ivan}),
        ("transactions --limit 3", "/chain/transactions", {"pageSize": 3}),
        (f"transactions --block {first}", "/chain/transactions", {"block": first}),
        ("transactions --event Deposit --contract vault", "/chain/transactions", {"event": "Deposit", "contract": "Vault"}),
        ("nav history --interval hourly", "/fund/nav/history", {"interval": "hourly"}),
    ):
        assert comparable(await lists.json(command)) == comparable(await lists.rest(path, **query)), command
    heading, *rows = (await lists.text(f"holders --holder {ivan}")).splitlines()
    assert (heading.split()[0], rows[0].split()[0], rows[-1]) == ("HOLDER", ivan, "1 to 1 of 1 holders")
    assert "Deposit" in await lists.text("transactions --event Deposit")
    assert await lists.text("transactions --event Nothing") == "no transactions match\n"
    assert "official NAV point" in (await lists.text("nav history")).splitlines()[-1]
    assert f"block {10**9} is not recorded" in await lists.text(f"holders --block {10**9}", code=2)


async def test_risk_events_are_listed_as_over_rest(lists: Lists, app_context: AppContext, fund: TestFund) -> None:
    await snapshot_now(app_context, fund)
    async with app_context.database.write() as session:
        await session.execute(text("UPDATE derived.protocol_addresses SET address = holder FROM derived.share_balances"))
    await lists.text("reconcile", code=1)
    found = comparable(await lists.json("risk-events --severity critical --status open"))
    assert found == comparable(await lists.rest("/risk/events", severity="CRITICAL", status="OPEN"))
    assert found["pagination"]["total"] >= 1
    assert "RECONCILIATION_BREAK" in await lists.text("risk-events --kind reconciliation_break")
    assert await lists.text("risk-events --status resolved") == "no risk events match\n"


async def test_every_list_of_an_empty_system_says_that_it_is_empty(lists: Lists) -> None:
    for command, sentence in {
        "redemptions": "no redemption requests yet",
        "approvals": "no approval tickets yet",
        "risk-events": "no risk events yet",
        "nav history": "no official NAV points in these days",
        "tx plan list": "0 open",
        "outbox dead-letters": "0 dead-lettered",
        "quarantine": "0 logs quarantined or skipped",
    }.items():
        assert await lists.text(command) == f"{sentence}\n", command
    for command in ("holders", "transactions"):
        assert "No block of the fund has been recorded yet" in await lists.text(command, code=2)


async def test_lists_of_operators_have_the_json_of_the_api(lists: Lists, database: Database) -> None:
    async with database.write() as session:
        await insert_row(session, WalletRow)
        await insert_row(session, IntentRow)
        await insert_row(session, PlanRow)
        await insert_row(session, OutboxMessageRow, dead_lettered_at=BLOCK_TIME)
        await insert_row(session, BlockRow)
        await insert_row(session, RawLogRow, status="QUARANTINED", reason="it makes no sense")
    for command, path, query in (
        ("tx plan list --all", "/plans", {"pageSize": 50}),
        ("outbox dead-letters", "/system/outbox", {"status": "DEAD_LETTERED", "pageSize": 50}),
        ("quarantine", "/system/quarantine", {"pageSize": 50}),
    ):
        shown = comparable(await lists.json(command))
        assert shown == comparable(await lists.rest(path, **query)), command
        assert len(shown["items"]) == 1, command
    shown = comparable(await lists.json("tx --all"))
    assert shown["intents"] == comparable(await lists.rest("/transactions/intents", pageSize=50))
    assert shown["wallets"] == comparable(await lists.rest("/wallets"))["items"]
    assert (len(shown["intents"]["items"]), len(shown["wallets"])) == (1, 1)
    users = (await lists.json("users list"))["items"]
    assert {user["role"] for user in users} == {"super_admin", "admin", "operator", "viewer"}
    assert set((await lists.json("outbox"))["priorities"]) == {"critical", "high", "normal", "chain", "reports"}
