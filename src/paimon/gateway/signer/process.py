"""Run the signer: refuse to start unless keys, node, contracts and Safes are as the policy says, then serve until stopped."""

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from pathlib import Path

import structlog

from paimon.domain.kernel.chain import Address
from paimon.domain.transaction.safe_transaction import SafeScope
from paimon.errors import StartupError
from paimon.gateway.signer.ledger import Ledger, LedgerError
from paimon.gateway.signer.open_keys import open_keys
from paimon.gateway.signer.policy import KeyTable, PolicyError, SafeTable, SignerPolicy, load_policy
from paimon.gateway.signer.server import SocketInUse, serving
from paimon.gateway.signer.service import SigningService
from paimon.infrastructure.blockchain.contracts.fund import ContractsMissing, FundContracts
from paimon.infrastructure.blockchain.contracts.safe import SafeContract, UnexpectedSafe
from paimon.infrastructure.blockchain.finality import UnknownChain, WeakerFinality, chain_adapter
from paimon.infrastructure.blockchain.rpc.errors import RpcError, RpcUnavailable
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.keys.key import Key, KeyUnavailable
from paimon.infrastructure.keys.keystore import KeystoreError
from paimon.infrastructure.observability.exposition import serve_metrics

METRICS_HOST = "127.0.0.1"
"""The signer's metrics are served to its own machine only, so the collector runs there."""

log = structlog.get_logger(__name__)


class SignerStartupError(StartupError):
    """The signer does not start. The message says what differs from the policy, and what to do."""


async def run_signer(policy_path: Path, *, new_ledger: bool = False) -> None:
    """Serve until SIGTERM or SIGINT, then remove the socket.

    Raises:
        SignerStartupError.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)
    async with running_signer(policy_path, new_ledger=new_ledger):
        await stop.wait()
    log.info("signer.stopped")


@asynccontextmanager
async def running_signer(policy_path: Path, *, new_ledger: bool = False) -> AsyncIterator[SigningService]:
    """Run a signer that serves until the block ends.

    Raises:
        SignerStartupError.
    """
    try:
        policy = load_policy(policy_path)
        keys = await open_keys(policy)
    except (PolicyError, KeystoreError, KeyUnavailable) as error:
        raise SignerStartupError(str(error)) from error
    rpc = Rpc(
        policy.rpc_url.get_secret_value(),
        timeout_seconds=policy.rpc_timeout_seconds,
        attempts_max=policy.rpc_attempts_max,
    )
    try:
        async with rpc:
            with _open_ledger(policy, new=new_ledger) as ledger:
                service = await _open_service(policy, keys, rpc, ledger)
                async with serving(service), serve_metrics("signer", METRICS_HOST, policy.metrics_port):
                    log.info("signer.started", socket=str(policy.socket), keys=[key.name for key in policy.keys])
                    yield service
    except (SocketInUse, LedgerError) as error:
        raise SignerStartupError(str(error)) from error


def _open_ledger(policy: SignerPolicy, *, new: bool) -> AbstractContextManager[Ledger | None]:
    if not policy.has_limits:
        return nullcontext()
    return Ledger.open(policy.ledger, new=new)


async def _open_service(policy: SignerPolicy, keys: Mapping[Address, Key], rpc: Rpc, ledger: Ledger | None) -> SigningService:
    contracts = FundContracts(rpc, policy.contracts.addresses())
    try:
        chain = chain_adapter(policy.chain_id, policy.finality_rules)
        served = int(await rpc.call("eth_chainId", []), 16)
        if served != policy.chain_id:
            raise SignerStartupError(f"node {rpc.endpoint} serves chain {served}, the signer's policy is for {policy.chain_id}")
        final = await chain.final_block(rpc)
        await contracts.require_deployed(at=final)
        decimals = await contracts.asset_decimals(at=final)
        for safe in policy.safes:
            await SafeContract(rpc, SafeScope(policy.chain_id, safe.address)).view(at=final)
    except (UnknownChain, WeakerFinality, ContractsMissing, UnexpectedSafe, RpcUnavailable, RpcError) as error:
        raise SignerStartupError(str(error)) from error
    limited: tuple[KeyTable | SafeTable, ...] = (*policy.keys, *policy.safes)
    limits = {table.address: limit for table in limited if (limit := table.limit(decimals)) is not None}
    return SigningService(policy, keys, contracts, chain, limits=limits, ledger=ledger)
