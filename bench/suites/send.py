"""Overhead of sending a transaction, and recovery after a crash, on an embedded PostgreSQL with fsync on.

`send.overhead_ms`: settlements from the queue to their final receipt, by the worker's driver and a signer in a process of
its own, with every check on; per transaction, without the node's response time, which is `send.node_ms`. The driving
process's CPU time for the same is `send.cpu_ms`. The baseline signs and sends as many bare transactions of one key, and
reads each receipt once, without database, checks or signer.

`send.recovery_s`: a driving process is killed when the node has received a transaction and not answered yet. Another
process drives at the scheduler's pace. The time from the kill until the node has the next transaction; the worst of some
crashes.
"""

import asyncio
import pickle
import subprocess
import sys
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web
from pydantic import SecretStr
from sqlalchemy import select

from bench.figures import Figure
from paimon.application.transactions.intents import queue_intent, settle_call
from paimon.composition import AppContext, open_app_context
from paimon.domain.kernel.chain import Address, checksum, hex0x
from paimon.domain.redemption.request import RedemptionChannel
from paimon.domain.transaction.intent_subject import IntentSubject
from paimon.domain.transaction.lifecycle import AttemptStatus, Call, IntentKind, IntentStatus
from paimon.domain.transaction.signing import PLAIN_TRANSFER_GAS, GasFees, GasFeeType, UnsignedTransaction
from paimon.gateway.tasks.handlers import drive_wallet
from paimon.infrastructure.blockchain.contracts.fund import FundAddresses, FundContracts
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.database import migrate
from paimon.infrastructure.database.models.ops.transaction import AttemptRow, IntentRow
from paimon.infrastructure.keys.encoding import sign_transaction
from paimon.infrastructure.keys.local_key import LocalKey
from paimon.infrastructure.observability.logging import configure_logging
from paimon.settings import Settings
from paimon_devkit.stack.accounts import INVESTORS, PLANNER, DemoAccounts
from paimon_devkit.stack.chain_session import ChainSession
from paimon_devkit.stack.embedded_chain import CHAIN_ID, EmbeddedChain, find_anvil
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres
from paimon_devkit.stack.fund_deployment import FundDeployment, deploy_fund
from paimon_devkit.stack.signer_files import write_signer_files

ROUND: Final = 16
"""Transactions of one round: as many as may be in flight."""
ROUNDS: Final = 4
CRASHES: Final = 3
_SHARES: Final = 100 * 10**18
_CONTRACTS: Final = Path(__file__).parents[2] / "contracts"
_WEEK: Final = 7 * 86_400 + 1
_DRIVER_SCRIPT: Final = (
    "import pickle, sys; from bench.suites.send import drive_forever; drive_forever(pickle.load(sys.stdin.buffer))"
)


@dataclass
class BenchStack:
    """A deployed fund with its services running."""

    chain: EmbeddedChain
    fund: FundDeployment
    accounts: DemoAccounts
    settings: Settings

    @property
    def keeper(self) -> Address:
        """The wallet that settles."""
        return self.settings.sending.keeper

    def due_requests(self, number: int) -> list[int]:
        """Create this many redemption requests that are due, and return their ids."""
        manager = self.fund.redemption_manager
        with ChainSession(self.chain.http_url, _CONTRACTS / "artifacts") as chain:
            first = int(chain.read("RedemptionManager", manager, "getRequestCount")) + 1
            for index in range(number):
                investor = self.accounts.account(INVESTORS[index % len(INVESTORS)])
                chain.call(investor, "RedemptionManager", manager, "requestRedemption", _SHARES, investor.address)
            self.mine(1)
            chain.confirm()
        self.chain.warp(_WEEK)
        self.mine(2)
        return list(range(first, first + number))

    def mine(self, blocks: int) -> None:
        """Mine blocks on demand."""
        for _ in range(blocks):
            self.chain.rpc.call("evm_mine")


class TimedRpc(Rpc):
    """An RPC client that measures the node's time: from the last byte of a request to the head of the response."""

    node_seconds = 0.0
    exchanges = 0

    async def __aenter__(self) -> "TimedRpc":
        trace = aiohttp.TraceConfig()
        sent = 0.0

        async def on_sent(*_: Any) -> None:
            nonlocal sent
            sent = time.perf_counter()

        async def on_answered(*_: Any) -> None:
            self.node_seconds += time.perf_counter() - sent
            self.exchanges += 1

        trace.on_request_chunk_sent.append(on_sent)
        trace.on_request_end.append(on_answered)
        await super().__aenter__()
        assert self._session is not None
        self._session.trace_configs.append(trace)
        trace.freeze()
        return self


async def measure() -> list[Figure]:
    """Measure the overhead and the recovery."""
    configure_logging(process="bench", level="error")  # the log lines of every transaction would hide the figures
    async with _bench_stack() as stack, open_app_context(stack.settings, process="bench") as app_context:
        return [*await _overhead(stack, app_context), *await _recovery(stack, app_context)]


async def _overhead(stack: BenchStack, app_context: AppContext) -> list[Figure]:
    async with TimedRpc(stack.chain.http_url, timeout_seconds=10, attempts_max=1) as rpc:
        measured = _with_rpc(app_context, rpc)
        await _run_workflow(stack, measured, stack.due_requests(ROUND))  # caches fill, connections open
        seconds = cpu = rpc.node_seconds = 0.0
        rpc.exchanges = 0
        for _ in range(ROUNDS):
            wall, busy = await _run_workflow(stack, measured, stack.due_requests(ROUND))
            seconds, cpu = seconds + wall, cpu + busy
        count = ROUND * ROUNDS
        node, exchanges = rpc.node_seconds, rpc.exchanges
        bare = await _bare_sends(stack, rpc, count)
    own = (seconds - node) / count * 1000
    print(f"  {exchanges / count:.1f} exchanges with the node per transaction")
    return [
        Figure("send.overhead_ms", round(own, 2), "ms/tx", round(bare * 1000, 2), "< 15"),
        Figure("send.cpu_ms", round(cpu / count * 1000, 2), "ms/tx"),
        Figure("send.node_ms", round(node / count * 1000, 2), "ms/tx"),
    ]


async def _run_workflow(stack: BenchStack, app_context: AppContext, requests: Sequence[int]) -> tuple[float, float]:
    """Return the seconds and CPU seconds from queueing settlements of these requests to their end, without mining."""
    seconds = cpu = 0.0

    async def timed(work: Coroutine[Any, Any, None]) -> None:
        nonlocal seconds, cpu
        wall, busy = time.perf_counter(), time.process_time()
        await work
        seconds, cpu = seconds + time.perf_counter() - wall, cpu + time.process_time() - busy

    for request_id in requests:
        await timed(_queue(app_context, request_id))
    while await _open_intents(app_context):
        await timed(drive_wallet(app_context, checksum(stack.keeper)))
        stack.mine(1)
        await timed(drive_wallet(app_context, checksum(stack.keeper)))
        stack.mine(2)
    return seconds, cpu


async def _queue(app_context: AppContext, request_id: int) -> None:
    async with app_context.database.write() as session:
        await queue_intent(
            session,
            key=f"settle-redemption:{request_id}",
            kind=IntentKind.SETTLE_REDEMPTION,
            wallet=app_context.settings.sending.keeper,
            call=settle_call(app_context.contracts, request_id, RedemptionChannel.STANDARD),
            subject=IntentSubject.redemption(request_id),
        )


async def _open_intents(app_context: AppContext) -> list[IntentStatus]:
    async with app_context.database.read() as session:
        query = select(IntentRow.status).where(IntentRow.closed_at.is_(None))
        return list(await session.scalars(query))


async def _bare_sends(stack: BenchStack, rpc: TimedRpc, count: int) -> float:
    """Return the seconds, without the node's, to sign and send a bare transaction and to read its receipt."""
    account = stack.accounts.account("willa")
    stack.chain.rpc.call("anvil_setBalance", account.address, hex(10**20))
    key = LocalKey(bytes(account.key))
    call, fees = Call(key.address, b""), GasFees(20 * 10**9, 10**9)
    rpc.node_seconds, seconds, hashes = 0.0, 0.0, []
    began = time.perf_counter()
    for nonce in range(count):
        unsigned = UnsignedTransaction(CHAIN_ID, nonce, PLAIN_TRANSFER_GAS, GasFeeType.EIP1559, fees, call)
        signed = await sign_transaction(key, unsigned)
        await rpc.call("eth_sendRawTransaction", [hex0x(signed.raw)])
        hashes.append(signed.hash)
    seconds += time.perf_counter() - began
    stack.mine(3)
    began = time.perf_counter()
    for transaction_hash in hashes:
        assert (await rpc.call("eth_getTransactionReceipt", [hex0x(transaction_hash)]))["status"] == "0x1"
    seconds += time.perf_counter() - began
    return (seconds - rpc.node_seconds) / count


async def _recovery(stack: BenchStack, app_context: AppContext) -> list[Figure]:
    worst = 0.0
    pause_seconds = app_context.settings.schedule.drive_wallets_seconds
    for _ in range(CRASHES):
        first_request, next_request = stack.due_requests(2)
        await _queue(app_context, first_request)
        await _queue(app_context, next_request)
        killed_at = await _crash_while_sending(stack)
        while True:
            await asyncio.sleep(pause_seconds)
            await drive_wallet(app_context, checksum(stack.keeper))
            if await _is_broadcast(app_context, next_request):
                break
        worst = max(worst, time.perf_counter() - killed_at)
        while await _open_intents(app_context):
            stack.mine(3)
            await drive_wallet(app_context, checksum(stack.keeper))
    return [Figure("send.recovery_s", round(worst, 2), "s", target="< 5")]


async def _crash_while_sending(stack: BenchStack) -> float:
    """Kill a driving process right after the node has received its transaction, and return the time of the kill."""
    driver_process: Process | None = None
    killed_at: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    async with aiohttp.ClientSession() as node:

        async def forward(request: web.Request) -> web.Response:
            body = await request.read()
            async with node.post(stack.chain.http_url, data=body, headers={"Content-Type": "application/json"}) as response:
                answer = await response.read()
            if b"eth_sendRawTransaction" in body and not killed_at.done():
                assert driver_process is not None
                driver_process.kill()
                killed_at.set_result(time.perf_counter())
            return web.Response(body=answer, content_type="application/json")

        async with _listening(forward) as url:
            chain = stack.settings.chain.model_copy(update={"rpc_url": SecretStr(url)})
            settings = stack.settings.model_copy(update={"chain": chain})
            driver_process = await asyncio.create_subprocess_exec(sys.executable, "-c", _DRIVER_SCRIPT, stdin=subprocess.PIPE)
            await driver_process.communicate(pickle.dumps(settings))
            return await killed_at


def drive_forever(settings: Settings) -> None:
    """Drive the keeper's wallet until the process is killed."""
    configure_logging(process="bench-driver", level="error")

    async def drive() -> None:
        async with open_app_context(settings, process="bench-driver") as app_context:
            while True:
                await drive_wallet(app_context, checksum(settings.sending.keeper))

    asyncio.run(drive())


async def _is_broadcast(app_context: AppContext, request_id: int) -> bool:
    async with app_context.database.read() as session:
        query = (
            select(AttemptRow.status)
            .join(IntentRow, AttemptRow.intent_id == IntentRow.id)
            .where(IntentRow.subject_id == IntentSubject.redemption(request_id).id)
        )
        return AttemptStatus.BROADCAST in list(await session.scalars(query))


def _with_rpc(app_context: AppContext, rpc: Rpc) -> AppContext:
    return replace(app_context, rpc=rpc, contracts=FundContracts(rpc, app_context.contracts.addresses))


@asynccontextmanager
async def _listening(handle: Any) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}/"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _bench_stack() -> AsyncIterator[BenchStack]:
    with tempfile.TemporaryDirectory(prefix="paimon-bench-", dir="/var/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        with (
            EmbeddedPostgres(folder, with_app_role=True) as server,
            EmbeddedChain(folder, anvil=find_anvil(_CONTRACTS)) as chain,
        ):
            migrate.upgrade(server.owner_url)
            accounts = DemoAccounts.of("test test test test test test test test test test test junk")
            artifacts = _CONTRACTS / "artifacts"
            fund = deploy_fund(
                chain.http_url, accounts=accounts.fund_accounts(), artifacts=artifacts, progress=lambda _line: None
            )
            chain.rpc.call("evm_setIntervalMining", 0)
            settings = _settings(folder, server.app_url, chain.http_url, fund, accounts)
            with _signer(folder / "signer", settings, accounts):
                yield BenchStack(chain, fund, accounts, settings)


def _settings(folder: Path, database_url: str, rpc_url: str, fund: FundDeployment, accounts: DemoAccounts) -> Settings:
    return Settings.model_validate(
        {
            "database": {"url": database_url},
            "redis": {"url": "redis://127.0.0.1:1/0", "integrity_key": "of a benchmark, thirty-two bytes+"},  # not used here
            "chain": {"chain_id": CHAIN_ID, "rpc_url": rpc_url},
            "fund": {
                "vault": fund.vault,
                "redemption_manager": fund.redemption_manager,
                "asset_controller": fund.asset_controller,
                "start_block": fund.start_block,
            },
            "sending": {"keeper": accounts.address("keeper"), "approver": accounts.address("approver")},
            "signer": {"socket": folder / "signer" / "signer.sock"},
            "auth": {
                "token_secret": "a secret for measurements only, 32+",
                "personal_data_secret": "a secret for measurements only, 32+",
                "domain": "localhost",
                "uri": "http://localhost",
            },
        }
    )


@contextmanager
def _signer(folder: Path, settings: Settings, accounts: DemoAccounts) -> Iterator[None]:
    """Run a signer in a process of its own, as in production."""
    where = settings.fund
    socket = write_signer_files(
        folder,
        accounts={name: accounts.account(name) for name in ("keeper", "approver")},
        plan_signers={},
        planner=accounts.address(PLANNER),
        chain_id=CHAIN_ID,
        rpc_url=settings.chain.rpc_url.get_secret_value(),
        fund=FundAddresses(where.vault, where.redemption_manager, where.asset_controller),
        safes=None,
    )
    command = [sys.executable, "-m", "paimon", "signer", "--policy", str(folder / "policy.toml")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while not socket.exists():
            assert process.poll() is None, "the signer did not start"
            assert time.monotonic() < deadline, "the signer did not start in time"
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(30)
