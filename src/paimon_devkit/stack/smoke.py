"""The smoke test: five redemptions from request to settlement on a running stack, with every state read through REST.

The payouts leave L1 below its target: the planner plans its refill, and owners of the cold Safe sign the plan.

    ines   120 000 shares   standard, above the threshold: approved by vera, settled at T+7
    ivan   150 000          standard, above the threshold: rejected by vera
    inga    40 000          emergency: approved by viktor, settled at T+1
    isla   600 000          above 2 % of the fund: scheduled, settled in its window
    ilja     5 000          standard, needs no approval, settled at T+7

The test only does what investors and approvers do: it requests on chain, signs decisions and waits. The application does the
rest. At the end the recorded state is compared with the chain.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import func, select

from paimon.application.reconciliation.reconcile import reconcile
from paimon.composition import AppContext, open_app_context
from paimon.domain.events.log_status import LogStatus
from paimon.infrastructure.database.models.derived import RawLogRow
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.models.ops.transaction import AttemptRow, IntentRow
from paimon_devkit.stack.accounts import PLANNER, SAFE_OWNERS
from paimon_devkit.stack.api_client import DemoApiClient
from paimon_devkit.stack.demo_stack import DemoStack
from paimon_devkit.stack.errors import DemoError
from paimon_devkit.stack.fund_deployment import ARTIFACTS
from paimon_devkit.stack.scenario import ChainActions

DAY: Final = 86_400
_STEP_SECONDS_MAX: Final = 120.0


class SmokeFailed(DemoError):
    """A state was not reached in time, or the recorded state differs from the chain."""


@dataclass(slots=True)
class SmokeRun:
    """One round of the five redemptions. `timeout_seconds` bounds every wait."""

    stack: DemoStack
    print_line: Callable[[str], None]
    timeout_seconds: float = _STEP_SECONDS_MAX
    requests: dict[str, int] = field(default_factory=dict)
    decisions: int = 0
    settlements: int = 0

    async def run(self) -> None:
        """Take the five redemptions through all steps. Raises SmokeFailed."""
        async with self._client_for("vera") as vera, self._client_for("viktor") as viktor:
            await self._request_redemptions(vera)
            await self._decide(vera, viktor)
            await self._settle(vera)
            await self._refill(vera)
            await self._show_timelines(vera)

    def _client_for(self, name: str) -> DemoApiClient:
        return DemoApiClient(self.stack.api_url, self.stack.accounts.account(name))

    @property
    def _chain(self) -> ChainActions:
        if self.stack.fund is None:
            raise SmokeFailed("the smoke test needs the demo's test fund: unset PAIMON_FUND__…")
        return ChainActions(self.stack.chain_rpc.url, ARTIFACTS, self.stack.fund, self.stack.accounts)

    async def _request_redemptions(self, api: DemoApiClient) -> None:
        self.print_line("\n1. Investors request redemptions on chain; the listener records each from a final block")
        tx = await asyncio.to_thread(self._chain.set_emergency_mode, True)
        self.print_line(f"   ada    switches emergency mode on                    tx {tx}")
        requested_shares = (("ines", 120_000), ("ivan", 150_000), ("inga", 40_000), ("isla", 600_000), ("ilja", 5_000))
        for name, shares in requested_shares:
            request_id, tx = await asyncio.to_thread(self._chain.request, name, shares, emergency=name == "inga")
            self.requests[name] = request_id
            self.print_line(f"   {name:<6} requests {shares:>9,} shares  request {request_id:<4}     tx {tx}")
        expected = {
            "ines": ("STANDARD", "PENDING_APPROVAL"),
            "ivan": ("STANDARD", "PENDING_APPROVAL"),
            "inga": ("EMERGENCY", "PENDING_APPROVAL"),
            "isla": ("SCHEDULED", "PENDING"),
            "ilja": ("STANDARD", "PENDING"),
        }
        for name, (channel, status) in expected.items():
            redemption = await self._wait_for_status(api, name, status)
            if redemption["channel"] != channel:
                raise SmokeFailed(f"{name}'s request is {redemption['channel']}, not {channel}")
            self.print_line(f"   recorded: request {redemption['requestId']:<4} {channel:<9} {status}")

    async def _decide(self, vera: DemoApiClient, viktor: DemoApiClient) -> None:
        self.print_line("\n2. Approvers sign decisions (EIP-712); the application sends them")
        for name, api, verdict, reason in (
            ("ines", vera, "approve", ""),
            ("ivan", vera, "reject", "source of funds unclear"),
            ("inga", viktor, "approve", ""),
        ):
            ticket = await self._ticket(api, self.requests[name])
            await api.decide(ticket, verdict, reason)
            self.decisions += 1
            self.print_line(f"   {ticket}: {verdict} for {name}")
        for name, status in (("ines", "APPROVED"), ("ivan", "REJECTED"), ("inga", "APPROVED")):
            await self._wait_for_status(vera, name, status)
            self.print_line(f"   on chain: request {self.requests[name]} {status}")

    async def _settle(self, api: DemoApiClient) -> None:
        self.print_line("\n3. Chain time moves; the application settles what is due")
        await self._warp_to(self._chain.chain_time() + DAY + 60, "T+1")
        await self._wait_settled(api, "inga")
        await self._warp_to(self._chain.chain_time() + 6 * DAY + 60, "T+7")
        await self._wait_settled(api, "ines", "ilja")
        window = await api.get(f"/redemptions/{self.requests['isla']}")
        await self._warp_to(self._chain.settlement_window_at(int(window["windowId"])) + 60, "the quarterly window")
        await self._wait_settled(api, "isla")
        tx = await asyncio.to_thread(self._chain.set_emergency_mode, False)
        self.print_line(f"   ada    switches emergency mode off                   tx {tx}")

    async def _refill(self, api: DemoApiClient) -> None:
        """Wait for the planner's plan, which it makes once a day, sign it as the Safe's owners, and wait until it is done."""
        self.print_line("\n4. The payouts left L1 below its target; the planner plans its refill")
        plan = dict(await self._poll_until(lambda: self._find_refill(api), "the planner to refill L1"))
        self.print_line(f"   planned: {plan['reason']}; for the {plan['wallet']} wallet, {plan['status']}")
        if plan["status"] == "AWAITING_OWNERS":
            proposal = await api.get(f"/multisig/proposals/{plan['proposal']}")
            for name in SAFE_OWNERS[plan["wallet"]][: proposal["threshold"]]:
                async with self._client_for(name) as owner:
                    await owner.sign_proposal(plan["proposal"])
                self.print_line(f"   {name:<6} signs it as an owner of the {plan['wallet']} Safe")
        await self._poll_until(lambda: self._find_refill(api, "DONE"), "the planner's plan to be final")
        self.print_line("   done: L1 is at its target")

    async def _find_refill(self, api: DemoApiClient, status: str | None = None) -> dict[str, Any] | None:
        planner = self.stack.accounts.address(PLANNER)
        plans = (await api.get("/plans", pageSize=100))["items"]
        return next((plan for plan in plans if plan["requestedBy"] == planner and status in (None, plan["status"])), None)

    async def _warp_to(self, timestamp: int, label: str) -> None:
        seconds = max(timestamp - self._chain.chain_time(), 1)
        now = await asyncio.to_thread(self._chain.warp, seconds)
        self.print_line(f"   chain time is now {time.strftime('%Y-%m-%d %H:%M', time.gmtime(now))} UTC ({label})")

    async def _wait_settled(self, api: DemoApiClient, *names: str) -> None:
        for name in names:
            redemption = await self._wait_for_status(api, name, "SETTLED")
            self.settlements += 1
            paid = Decimal(redemption["settledNetAmount"]).scaleb(-18)
            self.print_line(f"   settled: request {redemption['requestId']:<4} ({name}), {paid:,.2f} USDT net")

    async def _show_timelines(self, api: DemoApiClient) -> None:
        self.print_line("\n5. The timeline of each request, with the source of each entry")
        for name, request_id in self.requests.items():
            redemption = await api.get(f"/redemptions/{request_id}")
            self.print_line(f"   request {request_id} ({name}, {redemption['channel']})")
            for entry in redemption["timeline"]:
                tx = entry["details"].get("txHash", "")
                self.print_line(f"     {entry['source']:<6} {entry['title']:<46} {tx}")

    async def _ticket(self, api: DemoApiClient, request_id: int) -> str:
        async def find_ticket() -> str | None:
            ticket = (await api.get(f"/redemptions/{request_id}"))["ticket"]
            return None if ticket is None else str(ticket["id"])

        return str(await self._poll_until(find_ticket, f"a ticket for request {request_id}"))

    async def _wait_for_status(self, api: DemoApiClient, name: str, status: str) -> dict[str, Any]:
        async def find_request() -> dict[str, Any] | None:
            page = await api.get("/redemptions", owner=self.stack.accounts.address(name), pageSize=100)
            request_id = str(self.requests[name])
            matching = (item for item in page["items"] if item["requestId"] == request_id and item["status"] == status)
            return next(matching, None)

        return dict(await self._poll_until(find_request, f"request {self.requests[name]} ({name}) to be {status}"))

    async def _poll_until(self, condition: Callable[[], Any], description: str) -> Any:
        deadline = time.monotonic() + self.timeout_seconds
        while time.monotonic() < deadline:
            if (answer := await condition()) is not None:
                return answer
            await asyncio.sleep(0.2)
        raise SmokeFailed(f"waited {self.timeout_seconds:.0f} s in vain for {description}; see {self.stack.data / 'logs'}")

    async def verify_final_state(self) -> None:
        """Check that every effect happened once, nothing is open and the recorded state equals the chain.

        Raises SmokeFailed.
        """
        self.print_line("\n6. The recorded state compared with the chain")
        async with open_app_context(self.stack.settings, process="smoke") as context:
            await self._poll_until(lambda: self._is_idle(context), "every message and intent to be done")
            await self._require_exactly_once(context)
            result = await reconcile(context.database, context.contracts)
        for discrepancy in result.discrepancies:
            self.print_line(f"   {discrepancy}")
        self.print_line(f"   {result.figures_compared} figures compared at block {result.at}")
        self.print_line(f"discrepancies: {len(result.discrepancies)}")
        if result.discrepancies:
            raise SmokeFailed(f"{len(result.discrepancies)} figures differ between the recorded state and the chain")

    @staticmethod
    async def _is_idle(context: AppContext) -> bool | None:
        async with context.database.read() as session:
            open_messages = await session.scalar(
                select(func.count()).select_from(OutboxMessageRow).where(OutboxMessageRow.done_at.is_(None))
            )
            open_intents = await session.scalar(
                select(func.count()).select_from(IntentRow).where(IntentRow.closed_at.is_(None))
            )
        return True if open_messages == 0 and open_intents == 0 else None

    async def _require_exactly_once(self, context: AppContext) -> None:
        """Check that each wallet sent exactly one transaction for each effect, and that none failed."""
        async with context.database.read() as session:
            intents = Counter({
                str(status): count
                for status, count in await session.execute(
                    select(IntentRow.status, func.count()).group_by(IntentRow.status)
                )
            })  # fmt: skip
            failed = await session.scalar(select(func.count()).select_from(AttemptRow).where(AttemptRow.succeeded.is_(False)))
            quarantined = await session.scalar(
                select(func.count()).select_from(RawLogRow).where(RawLogRow.status == LogStatus.QUARANTINED)
            )
        accounts = self.stack.accounts
        sent = {name: self._chain.transaction_count(accounts.address(name)) for name in ("approver", "keeper", "hot")}
        self.print_line(f"   intents: {dict(intents)}; sent by {', '.join(f'{name} {count}' for name, count in sent.items())}")
        problems = []
        if failed:
            problems.append(f"{failed} transactions failed")
        if quarantined:
            problems.append(f"{quarantined} logs are quarantined")
        if intents["FINAL"] != sum(sent.values()):
            problems.append(f"{sum(sent.values())} transactions for {intents['FINAL']} effects")
        if set(intents) != {"FINAL"}:
            problems.append(f"not every intent is final: {dict(intents)}")
        if problems:
            raise SmokeFailed("; ".join(problems))
