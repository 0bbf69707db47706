"""People work in the console: a real Chromium against the whole stack, with the demo's wallet.

The stories are in `tests/browser/stories.mjs`. They share one stack, so one test runs them all and reports each. Pictures go to
the test's folder; `PAIMON_PICTURES=docs/images` writes those that the documentation shows.
"""

import asyncio
import os
import signal
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from tests.support.browser import install_browser, run_stories
from tests.support.chat_service import ChatService, running_chat_service, write_channels
from tests.support.paths import ROOT

from paimon.application.reports.make import make_report
from paimon.composition import open_report_objects
from paimon.domain.asset.tier import Tier
from paimon.domain.report.period import ReportKind, ReportPeriod
from paimon.gateway.cli.resources import opened_database
from paimon_devkit.stack.accounts import ADMIN, DemoAccounts
from paimon_devkit.stack.api_client import DemoApiClient
from paimon_devkit.stack.demo_stack import DemoStack
from paimon_devkit.stack.fund_deployment import ARTIFACTS
from paimon_devkit.stack.scenario import WAD, ChainActions
from paimon_devkit.stack.supervisor import RestartPolicy, Supervisor

pytestmark = pytest.mark.browser

_RECORDED_SECONDS_MAX: Final = 60.0

_SCHEDULE: Final = {
    "PAIMON_SCHEDULE__ADVANCE_EMERGENCY_SECONDS": "1",
    "PAIMON_SCHEDULE__CHECK_SPLITS_SECONDS": "5",
    "PAIMON_SCHEDULE__FORECAST_SECONDS": "5",
    "PAIMON_SCHEDULE__RECONCILE_SECONDS": "5",
    "PAIMON_SCHEDULE__SETTLE_DUE_SECONDS": "1",
    "PAIMON_SCHEDULE__SNAPSHOT_SECONDS": "5",
    "PAIMON_SCHEDULE__SYNC_SAFES_SECONDS": "1",
}
"""What the stories wait for comes within seconds."""


class Outside:
    """What happens outside of the browser while people use the console."""

    def __init__(self, stack: DemoStack, supervisor: Supervisor, chat: ChatService) -> None:
        assert stack.fund is not None
        self._stack = stack
        self._chat = chat
        self._supervisor = supervisor
        self._chain = ChainActions(stack.chain_rpc.url, ARTIFACTS, stack.fund, stack.accounts)

    def act(self, name: str, values: Mapping[str, Any]) -> Any:
        match name:
            case "request":
                request_id, _ = self._chain.request(values["name"], values["shares"], emergency=values.get("emergency", False))
                return asyncio.run(self._recorded(request_id))
            case "hashCard":
                return asyncio.run(self._hash_card(values["safeTxHash"]))
            case "tierValue":
                return str(self._chain.tier_value(Tier(values["tier"])))
            case "details":
                return asyncio.run(self._detail_pages(values["name"], values["shares"]))
            case "pause" | "continue":
                return self._signal(values["process"], signal.SIGSTOP if name == "pause" else signal.SIGCONT)
            case "endSessions":
                return asyncio.run(self._end_sessions(values["name"]))
            case "setApprover":
                return self._chain.set_approver(values["name"], holds=values["holds"])
            case "setEmergencyMode":
                return self._chain.set_emergency_mode(values["isOn"])
            case "movePrice":
                return self._chain.move_price(values["symbol"], values["byBps"])
            case "setMining":
                return self._stack.chain_rpc.call("evm_setIntervalMining", 1 if values["isOn"] else 0)
            case "refuseMessages":
                return self._chat.refusing.add(values["channel"])
            case "takeMessages":
                return self._chat.refusing.discard(values["channel"])
            case "report":
                return asyncio.run(self._make_report())
            case "warp":
                return self._chain.warp(values["seconds"])
            case "kill":
                return self._supervisor.kill(values["process"])
            case "stop":
                return self._supervisor.stop_child(values["process"])
            case "start":
                return self._supervisor.start_child(values["process"])
        raise ValueError(f"nothing is called {name}")

    async def _hash_card(self, safe_tx_hash: str) -> Any:
        async with DemoApiClient(self._stack.api_url, self._stack.accounts.account("willa")) as api:
            return (await api.get(f"/multisig/proposals/{safe_tx_hash}"))["hashCard"]

    async def _plan(self, name: str, symbols: list[str], usdt: int, *, key: str) -> Any:
        """Preview a plan that buys each asset for so many USDT, sign it as the account, and return it."""
        assert self._stack.fund is not None
        tokens = {asset.symbol: asset.address for asset in self._stack.fund.assets}
        arguments = [{"token": tokens[symbol], "usdtAmount": str(usdt * WAD)} for symbol in symbols]
        calls = [{"contract": "AssetController", "function": "purchaseAsset", "arguments": each} for each in arguments]
        async with DemoApiClient(self._stack.api_url, self._stack.accounts.account(name)) as api:
            return await api.submit_plan({"key": key, "plan": key, "calls": calls, "reason": "fill tier 2"})

    async def _make_report(self) -> str:
        """Make the report of the day that has not ended yet, which is a draft. Returns the day."""
        settings, now = self._stack.settings, datetime.now(UTC)
        period = ReportPeriod.containing(ReportKind.DAILY, now.date())
        async with opened_database(settings, process="report") as database:
            objects = open_report_objects(settings)
            await make_report(database, objects, period, now=now, steps_max=settings.nav.attribution_intervals_max)
        return now.date().isoformat()

    def _signal(self, process: str, number: signal.Signals) -> None:
        pid = self._supervisor.pid(process)
        assert pid is not None, f"{process} does not run"
        os.kill(pid, number)

    async def _detail_pages(self, name: str, shares: int) -> list[str]:
        """Make one of each thing that has a page of its own, and return their paths in the console."""
        request_id, _ = self._chain.request(name, shares)
        ticket_id = (await self._recorded(request_id))["ticketId"]
        plan = await self._plan("otto", ["MMFA", "MMFB"], 10_000, key="details")
        async with DemoApiClient(self._stack.api_url, self._stack.accounts.account("vera")) as api:
            await api.decide(str(ticket_id), "approve")
            (intent, *_) = (await api.get("/transactions/intents"))["items"]
        wallet = self._stack.accounts.address("keeper")
        assert self._stack.fund is not None
        return [
            f"reports/daily/{await self._make_report()}",
            f"risk/emergencies/{await self._open_emergency()}",
            *(f"redemptions/{request_id}", f"approvals/{ticket_id}", f"transactions/intents/{intent['id']}"),
            *(
                f"transactions/wallets/{wallet}",
                f"transactions/plans/{plan['id']}",
                f"transactions/proposals/{plan['proposal']}",
                f"assets/{self._stack.fund.assets[0].address}",
            ),
        ]

    async def _open_emergency(self) -> int:
        """Return the number of the emergency or drill that is open; start a drill if there is none."""
        async with DemoApiClient(self._stack.api_url, self._stack.accounts.account("vera")) as api:
            emergencies = (await api.get("/emergencies"))["items"]
            for emergency in emergencies:
                if emergency["endedAt"] is None:
                    return int(emergency["id"])
            return int((await api.sign_action("start_drill", "/emergencies", "to look at its page"))["id"])

    async def _end_sessions(self, name: str) -> None:
        """End all sessions of a person, as a super_admin does who suspects their device."""
        accounts = self._stack.accounts
        async with DemoApiClient(self._stack.api_url, accounts.account(ADMIN)) as api:
            await api.delete(f"/users/{accounts.address(name)}/sessions")

    async def _recorded(self, request_id: int) -> dict[str, str | None]:
        """Wait until the API shows the request, with its ticket if it needs one."""
        deadline = time.monotonic() + _RECORDED_SECONDS_MAX
        async with DemoApiClient(self._stack.api_url, self._stack.accounts.account("willa")) as api:
            while time.monotonic() < deadline:
                found = await api.find(f"/redemptions/{request_id}")
                if found is not None and (found["ticket"] is not None or not found["requiresApproval"]):
                    ticket = found["ticket"]
                    return {"requestId": str(request_id), "ticketId": ticket and ticket["id"]}
                await asyncio.sleep(0.2)
        raise AssertionError(f"request {request_id} is not recorded with its ticket after {_RECORDED_SECONDS_MAX:.0f} s")


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[tuple[str, Outside]]:
    install_browser()
    data = tmp_path / "stack"
    data.mkdir()
    # The planner's proposal would take the nonce before those of the stories, which then wait for it.
    environment = {"PAIMON_PLANNER__REFILL_BELOW_BPS": "0", **_SCHEDULE}
    policy = RestartPolicy(first_delay_seconds=3.0, delay_seconds_max=3.0, crashes_max=100)
    with running_chat_service() as chat, Supervisor(data, policy=policy) as supervisor:
        otto = DemoAccounts.load_or_create(data / "accounts").address("otto")
        channels = write_channels(tmp_path, chat, {"operators": None, "otto-phone": otto})
        environment |= {"PAIMON_NOTIFICATIONS__FILE": str(channels)}
        stack = DemoStack(data, print_line=print, fast=True, environment=environment)
        stack.start(supervisor)
        yield stack.api_url, Outside(stack, supervisor, chat)
    if stack._port_reservation is not None:
        stack._port_reservation.close()


@pytest.mark.timeout(900)
@pytest.mark.long(300)
def test_people_work_in_the_console(outside: tuple[str, Outside], tmp_path: Path, subtests: pytest.Subtests) -> None:
    url, actions = outside
    pictures = ROOT / os.environ["PAIMON_PICTURES"] if "PAIMON_PICTURES" in os.environ else tmp_path
    only = os.environ["PAIMON_STORIES"].split(",") if "PAIMON_STORIES" in os.environ else None
    for story, seconds, error in run_stories(url, actions.act, pictures=pictures, failures=tmp_path, only=only):
        print(f"{story}: {seconds:.1f} s")
        with subtests.test(story):
            assert error is None, error
