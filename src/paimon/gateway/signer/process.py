"""Run the signer: refuse to start unless keys, node, contracts and Safes are as the policy says, then serve until stopped."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from paimon.domain.kernel.chain import Address
from paimon.domain.transaction.safe_transaction import SafeScope
from paimon.errors import StartupError
from paimon.gateway.signer.agreed_chain import AgreedChain, ChainNotRead
from paimon.gateway.signer.caller_policy import CallerError, local_callers, pinned_clients, server_context
from paimon.gateway.signer.file_access import find_exposures, protected_files
from paimon.gateway.signer.ledger import Ledger
from paimon.gateway.signer.ledger_counter import LedgerError
from paimon.gateway.signer.open_keys import open_keys
from paimon.gateway.signer.policy import PolicyError, SignerPolicy, load_policy
from paimon.gateway.signer.policy_tables import KeyTable, PlanSignerTable, SafeTable
from paimon.gateway.signer.server import SocketInUse, serving
from paimon.gateway.signer.service import SigningService
from paimon.infrastructure.blockchain.contracts.fund import ContractsMissing, FundContracts
from paimon.infrastructure.blockchain.contracts.reads import CallReverted
from paimon.infrastructure.blockchain.contracts.safe import SafeContract, UnexpectedSafe
from paimon.infrastructure.blockchain.finality import UnknownChain, WeakerFinality, chain_adapter
from paimon.infrastructure.blockchain.rpc.errors import RpcError, RpcUnavailable
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.keys.key import Key, KeyUnavailable
from paimon.infrastructure.keys.keystore import KeystoreError, require_private
from paimon.infrastructure.observability.exposition import serve_metrics

if TYPE_CHECKING:
    # A signer without a database does not load its libraries.
    from paimon.gateway.signer.key_leases import KeyLeases

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
        _require_protected_files(policy_path, policy)
        keys = await open_keys(policy)
    except (PolicyError, CallerError, KeystoreError, KeyUnavailable) as error:
        raise SignerStartupError(str(error)) from error
    try:
        with Ledger.open(policy.ledger, counter=policy.counter, new=new_ledger) as ledger:
            _warn_of_one_folder(policy)
            async with AsyncExitStack() as stack:
                nodes = [await stack.enter_async_context(rpc) for rpc in _endpoints(policy)]
                service = await _open_service(policy, keys, nodes, ledger, await _hold_leases(policy, stack))
                async with serving(service), serve_metrics("signer", METRICS_HOST, policy.metrics_port):
                    log.info("signer.started", **_links(policy), keys=[key.name for key in policy.keys])
                    yield service
    except (SocketInUse, LedgerError, CallerError) as error:
        raise SignerStartupError(str(error)) from error


def _require_protected_files(policy_path: Path, policy: SignerPolicy) -> None:
    """Refuse callers that could get around the signer by its files.

    Raises:
        CallerError, SignerStartupError.
    """
    if policy.tls is not None:
        require_private(policy.tls.private_key)
        pinned_clients(policy.tls)
        server_context(policy.tls)
    callers = local_callers(policy.callers)
    if exposures := find_exposures(protected_files(policy_path, policy), callers, own_uid=os.geteuid()):
        raise SignerStartupError(
            "a caller can reach the signer's files:\n" + "\n".join(f"  {exposure}" for exposure in exposures)
        )
    if policy.callers.allow_same_user:
        log.warning("signer.same_user_allowed", meaning="a caller of this user can read the keys and write policy and ledger")


def _warn_of_one_folder(policy: SignerPolicy) -> None:
    """Warn when one restored backup would put back the ledger with its counter, so that neither shows that the other is old."""
    if policy.ledger.resolve().parent == policy.counter.resolve().parent:
        log.warning(
            "signer.counter_beside_ledger",
            folder=str(policy.ledger.resolve().parent),
            meaning="an old copy of both files is refused only once the chain shows what they do not know",
            advice="stop the signer, move the counter to another disk, and name it as `counter` in the policy",
        )


def _links(policy: SignerPolicy) -> dict[str, str]:
    socket_path = {} if policy.socket is None else {"socket": str(policy.socket)}
    return socket_path | ({} if policy.tls is None else {"tls": f"{policy.tls.host}:{policy.tls.port}"})


def _endpoints(policy: SignerPolicy) -> list[Rpc]:
    """One pool for each endpoint, so that each is asked on its own."""
    return [
        Rpc(url, timeout_seconds=policy.rpc_timeout_seconds, attempts_max=policy.rpc_attempts_max) for url in policy.rpc_urls
    ]


async def _hold_leases(policy: SignerPolicy, stack: AsyncExitStack) -> "KeyLeases | None":
    """Hold the keys' leases until the stack is left. A database that is away refuses movements, not the start."""
    if policy.leases is None:
        return None
    from paimon.gateway.signer.key_leases import holding_leases

    return await stack.enter_async_context(holding_leases(policy.leases, [key.address for key in policy.keys]))


async def _open_service(
    policy: SignerPolicy, keys: Mapping[Address, Key], nodes: Sequence[Rpc], ledger: Ledger, leases: "KeyLeases | None"
) -> SigningService:
    """Make the service once every endpoint that answers serves the policy's chain, and most of them show its contracts."""
    endpoints = [FundContracts(rpc, policy.contracts.addresses()) for rpc in nodes]
    try:
        chain = AgreedChain(endpoints, chain_adapter(policy.chain_id, policy.finality_rules))
        await _require_chain(policy, nodes)
        final = await chain.final_block()
        await chain.read(lambda contracts: contracts.require_deployed(at=final))
        decimals = await chain.read(lambda contracts: contracts.asset_decimals(at=final))
        for safe in policy.safes:
            scope = SafeScope(policy.chain_id, safe.address)
            await chain.read(lambda contracts, scope=scope: SafeContract(contracts.rpc, scope).view(at=final))  # type: ignore[misc]
        for key in policy.keys:
            counts = await chain.nonce_counts(key.address, final=final)
            ledger.register_wallet(key.address, counts.latest)
    except (UnknownChain, WeakerFinality, ContractsMissing, UnexpectedSafe, ChainNotRead, CallReverted) as error:
        raise SignerStartupError(str(error)) from error
    limited: tuple[KeyTable | SafeTable | PlanSignerTable, ...] = (*policy.keys, *policy.safes, *policy.plan_signers)
    limits = {table.address: limit for table in limited if (limit := table.limit(decimals)) is not None}
    return SigningService(policy, keys, chain, limits=limits, ledger=ledger, leases=leases)


async def _require_chain(policy: SignerPolicy, nodes: Sequence[Rpc]) -> None:
    """Refuse an endpoint of another chain. One that does not answer now is left out of the agreement."""
    for rpc in nodes:
        try:
            served = int(await rpc.call("eth_chainId", []), 16)
        except (RpcUnavailable, RpcError) as error:
            log.warning("signer.endpoint_unavailable", endpoint=rpc.endpoint, reason=str(error))
            continue
        if served != policy.chain_id:
            raise SignerStartupError(f"node {rpc.endpoint} serves chain {served}, the signer's policy is for {policy.chain_id}")
