"""Composition root: build a process's resources from the settings, check them, and close them at the end.

Settings ──► open_app_context ──► AppContext ──┬──► SendingContext   one drive of a wallet
                                               ├──► SafeContext      Safe proposals
                                               └──► PlanContext      plans
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import FullJitterBackoff, NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from paimon.application.common.contract_wallets import ContractWallets
from paimon.application.common.signing_rules import SigningRules
from paimon.application.identity.signed_users import SignedUsers
from paimon.application.monitoring.scrape import Scraper
from paimon.application.transactions.driver.context import SendingContext
from paimon.application.transactions.multisig.context import SafeContext
from paimon.application.transactions.plans.context import PlanContext
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.transaction.safe_transaction import SafeName
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon.errors import StartupError
from paimon.infrastructure.blockchain.abi.contract_abi import read_abi
from paimon.infrastructure.blockchain.contracts.fund import FundAddresses, FundContracts
from paimon.infrastructure.blockchain.finality import ChainAdapter, chain_adapter, require_chain
from paimon.infrastructure.blockchain.rpc.endpoint import NodeUrl
from paimon.infrastructure.blockchain.rpc.errors import RpcUnavailable
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.cache.authenticated_redis import AuthenticatedRedis
from paimon.infrastructure.cache.shared_limits import SharedLimits
from paimon.infrastructure.database.rights.check import require_rights
from paimon.infrastructure.database.rights.roles import DatabaseRole
from paimon.infrastructure.database.sessions import Database, create_engine
from paimon.infrastructure.database.version import require_current
from paimon.infrastructure.keys.client import SignerClient
from paimon.infrastructure.keys.link import SignerLink, SocketLink, TlsLink
from paimon.infrastructure.storage.objects import ObjectStorage
from paimon.settings import ChainSettings, Settings, SettingsError, SignerSettings

if TYPE_CHECKING:
    from paimon.application.emergency.observe import EmergencyContext
    from paimon.application.identity.accept_action import SigningContext
    from paimon.application.identity.tokens import TokenKeys
    from paimon.application.notifications.deliver import NotificationContext
    from paimon.application.rebalance_engine.context import RebalanceContext

_LIMITS_SECONDS_MAX: Final = 0.5
"""How long a request waits for Redis to count it; after that it is not asked again for a second."""


@dataclass(frozen=True, slots=True)
class AppContext:
    """The resources of one process, and the contexts of its use cases."""

    process: str
    settings: Settings
    database: Database
    redis: AuthenticatedRedis
    rpc: Rpc
    contracts: FundContracts
    chain: ChainAdapter
    signer: SignerClient
    users: SignedUsers
    private_rpc: Rpc | None = None
    """Endpoint that gets transactions first, where one is configured."""
    solver_turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    """Held by the one request whose rebalance is being solved."""

    @property
    def token_keys(self) -> "TokenKeys":
        # Here, because its libraries take a while to load, and only the API has access tokens.
        from paimon.application.identity.tokens import token_keys

        return token_keys(self.settings.auth.token_secrets())

    @property
    def signing_rules(self) -> SigningRules:
        return signing_rules(self.settings)

    @property
    def signing(self) -> "SigningContext":
        """Return what use cases need to accept signed actions."""
        # Here, because the library of signatures takes half a second to load, and `paimon status` checks none.
        from paimon.application.identity.accept_action import SigningContext

        return SigningContext(self.database, self.signing_rules, ContractWallets(self.rpc, self.chain))

    def new_sending_context(self) -> SendingContext:
        """Build the context of one drive; it remembers the drive's final block, so each drive needs its own."""
        return SendingContext(
            database=self.database,
            contracts=self.contracts,
            chain=self.chain,
            signer=self.signer,
            options=self.settings.sending,
            chain_id=self.settings.chain.chain_id,
            private=self.private_rpc,
        )

    @property
    def safe_context(self) -> SafeContext:
        sending = self.settings.sending
        addresses = {SafeName.WARM: sending.warm, SafeName.COLD: sending.cold}
        return SafeContext(
            database=self.database,
            contracts=self.contracts,
            chain=self.chain,
            chain_id=self.settings.chain.chain_id,
            safes={name: address for name, address in addresses.items() if address is not None},
            multi_send=sending.multi_send,
            proposal_ttl=timedelta(days=sending.proposal_ttl_days),
        )

    @property
    def plan_context(self) -> PlanContext:
        sending = self.settings.sending
        return PlanContext(
            safe_context=self.safe_context,
            hot=sending.hot,
            limits={PlanWallet.HOT: sending.hot_limits, PlanWallet.WARM: sending.warm_limits},
            hot_plan_ttl=timedelta(seconds=sending.hot_plan_ttl_seconds),
            signing_rules=self.signing_rules,
        )

    @property
    def emergency_context(self) -> "EmergencyContext":
        # Here, because only the worker, the API and `paimon emergency` need it.
        from paimon.application.emergency.observe import EmergencyContext

        return EmergencyContext(self.settings.risk.policy(), self.plan_context)

    def rebalance_context(self, plans: PlanContext) -> "RebalanceContext":
        """Build the rebalance engine's context; `plans` has the limits of who makes the plans."""
        # Here, because only the planner and the API make plans.
        from paimon.application.rebalance_engine.context import RebalanceContext
        from paimon.infrastructure.solver.solver import Solver

        options = self.settings.rebalance
        return RebalanceContext(
            plans=plans,
            solver=Solver(options.solver_seconds_max, turn=self.solver_turn),
            policy=options.policy(),
            risk_policy=self.settings.risk.policy(),
            is_automatic=options.automatic,
        )

    @property
    def notification_context(self) -> "NotificationContext":
        # Here, because only the worker sends notifications.
        from paimon.application.notifications.deliver import NotificationContext

        return NotificationContext(self.database, self.settings.notifications)

    def new_metrics_scraper(self) -> Scraper:
        """Build the scraper of the database's and the chain's metrics; it caches, so one process needs only one."""
        settings = self.settings
        timeout_seconds = settings.health.check_timeout_seconds
        return Scraper(
            self.database, self.rpc, self.chain, settings.sending.low_balance_wei, timeout_seconds, self.contracts.abis
        )


def signing_rules(settings: Settings) -> SigningRules:
    """Return where signed actions count, and how far ahead they may expire."""
    scope = SigningScope(settings.chain.chain_id, settings.fund.redemption_manager)
    return SigningRules(scope, settings.approval.vote_ttl_seconds_max)


def fund_contracts(rpc: Rpc, settings: Settings) -> FundContracts:
    """Build the wrappers of the fund's contracts.

    Raises:
        UnreadableAbi: the settings name a file that holds no ABI.
    """
    fund = settings.fund
    addresses = FundAddresses(fund.vault, fund.redemption_manager, fund.asset_controller)
    return FundContracts(rpc, addresses, otc_abi=read_abi(fund.otc_manager_abi) if fund.otc_manager_abi else None)


def open_database(settings: Settings, *, process: str) -> Database:
    """Open the database as the role of this process, with the replica for reads where one is configured."""
    options = settings.database
    replica = _engine(options.read_url, settings, process, options.pool_size) if options.read_url else None
    return Database(_engine(options.url, settings, process, options.pool_size), replica)


@asynccontextmanager
async def opened_as_retention(settings: Settings) -> AsyncIterator[Database | None]:
    """Open one connection as the role `retention`, or give None without `PAIMON_DATABASE__RETENTION_URL`."""
    if settings.database.retention_url is None:
        yield None
        return
    database = Database(_engine(settings.database.retention_url, settings, "retention", 1))
    try:
        yield database
    finally:
        await database.close()


def _engine(url: SecretStr, settings: Settings, process: str, pool_size: int) -> AsyncEngine:
    return create_engine(
        url.get_secret_value(),
        pool_size=pool_size,
        connect_timeout_seconds=settings.database.connect_timeout_seconds,
        application_name=f"paimon-{process}",
    )


def signer_link(signer: SignerSettings) -> SignerLink | None:
    """Return the link to the signer: its socket, or TLS with pinned certificates; None for a process that asks no signer."""
    if signer.socket is not None:
        return SocketLink(signer.socket)
    if signer.url is None:
        return None
    files = (signer.server_certificate, signer.client_certificate, signer.client_key)
    server, certificate, key = (path for path in files if path is not None)  # the settings have all three beside a URL
    return TlsLink(signer.url, server, certificate, key)


def require_signer_link(settings: Settings) -> None:
    """Refuse to start a process that sends without a way to the signer.

    Raises:
        SettingsError
    """
    if signer_link(settings.signer) is None:
        raise SettingsError("the worker asks the signer for signatures: set PAIMON_SIGNER__SOCKET or PAIMON_SIGNER__URL")


def open_redis(settings: Settings) -> AuthenticatedRedis:
    """Open a client that retries a lost connection a bounded number of times, with jitter."""
    options = settings.redis
    client = Redis.from_url(
        options.url.get_secret_value(),
        socket_connect_timeout=5,
        socket_timeout=2,  # for a command; a subscription waits without limit
        retry=Retry(FullJitterBackoff(cap=1, base=0.05), 3),
        retry_on_error=[RedisConnectionError, RedisTimeoutError],
        **options.tls_options(),
    )
    return AuthenticatedRedis(client, options.integrity_key)


def open_shared_limits(settings: Settings) -> SharedLimits:
    """Open the counts of the API's callers: a client of their own with short deadlines, since every request waits for it."""
    options = settings.redis
    client = Redis.from_url(
        options.url.get_secret_value(),
        socket_connect_timeout=_LIMITS_SECONDS_MAX,
        socket_timeout=_LIMITS_SECONDS_MAX,
        retry=Retry(NoBackoff(), 1),  # one that had closed meanwhile
        **options.tls_options(),
    )
    return SharedLimits(client, options.integrity_key)


def open_objects(settings: Settings) -> ObjectStorage:
    """Open the object storage; it connects at its first use."""
    return ObjectStorage(settings.storage.url, timeout_seconds=settings.storage.timeout_seconds)


def open_report_objects(settings: Settings) -> ObjectStorage:
    """Open the storage of the reports' files; it connects at its first use."""
    return ObjectStorage(settings.reports.storage_url, timeout_seconds=settings.reports.storage_timeout_seconds)


def open_rpc(chain: ChainSettings) -> Rpc:
    """Combine all endpoints of the chain; none is used before it reports this chain's id."""
    return Rpc(
        *(NodeUrl(endpoint.url.get_secret_value(), endpoint.uses) for endpoint in chain.endpoints),
        timeout_seconds=chain.request_timeout_seconds,
        attempts_max=chain.attempts_max,
        chain_id=chain.chain_id,
    )


def open_single_endpoint_rpc(url: SecretStr, chain: ChainSettings) -> Rpc:
    """Use one endpoint by itself; its chain id is not checked."""
    return Rpc(url.get_secret_value(), timeout_seconds=chain.request_timeout_seconds, attempts_max=chain.attempts_max)


def open_private_rpc(chain: ChainSettings) -> Rpc | None:
    """Use the private endpoint, if configured. It may know only `eth_sendRawTransaction`, so its chain id is not checked."""
    return None if chain.private_tx_url is None else open_single_endpoint_rpc(chain.private_tx_url, chain)


@asynccontextmanager
async def open_app_context(settings: Settings, *, process: str) -> AsyncIterator[AppContext]:
    """Build a process's resources. Connections open at their first use and close at the end of the block."""
    async with AsyncExitStack() as stack:
        database = open_database(settings, process=process)
        stack.push_async_callback(database.close)
        redis = open_redis(settings)
        stack.push_async_callback(redis.aclose)
        chain = settings.chain
        rpc = await stack.enter_async_context(open_rpc(chain))
        private_rpc = open_private_rpc(chain)
        if private_rpc is not None:
            await stack.enter_async_context(private_rpc)
        yield AppContext(
            process=process,
            settings=settings,
            database=database,
            redis=redis,
            rpc=rpc,
            contracts=fund_contracts(rpc, settings),
            chain=chain_adapter(chain.chain_id, chain.finality),
            signer=SignerClient(signer_link(settings.signer), settings.signer.timeout_seconds),
            users=SignedUsers(signing_rules(settings).scope),
            private_rpc=private_rpc,
        )


async def require_ready(context: AppContext) -> None:
    """Refuse to start without a matching database, Redis and chain. The error's message says what to do.

    Raises:
        DatabaseBehind, DatabaseAhead, DatabaseTooOld: the database has another version's migrations.
        UnsupportedServer: the database server is too old.
        RightsMissing: the database role of this process lacks rights that it needs.
        ChainMismatch, ContractsMissing: the node or the addresses are not this fund's.
        DatabaseUnreachable, RedisUnreachable, NodeUnreachable: a service does not answer.
    """
    try:
        await require_current(context.database.engine)
        await require_rights(context.database.engine, DatabaseRole.of_process(context.process))
    except (OperationalError, PoolTimeout) as error:
        address = context.database.engine.url.render_as_string(hide_password=True)
        raise DatabaseUnreachable(
            f"PostgreSQL does not answer at {address} (PAIMON_DATABASE__URL): {_first_line(error)}"
        ) from error
    try:
        await context.redis.client.ping()
    except RedisError as error:
        server = context.redis.client.connection_pool.connection_kwargs
        raise RedisUnreachable(
            f"Redis does not answer at {server.get('host')}:{server.get('port')} (PAIMON_REDIS__URL): {_first_line(error)}"
        ) from error
    try:
        await require_chain(context.rpc, context.settings.chain.chain_id)
        await context.contracts.require_deployed(at=await context.chain.final_block(context.rpc))
    except RpcUnavailable as error:
        raise NodeUnreachable(f"{error} (PAIMON_CHAIN__RPC_URL)") from error


class DatabaseUnreachable(StartupError):
    """PostgreSQL does not answer."""


class RedisUnreachable(StartupError):
    """Redis does not answer."""


class NodeUnreachable(StartupError):
    """No RPC endpoint of the chain answers."""


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
