"""The composition root: builds database, Redis and chain from settings, once per process, and takes them down again."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from pydantic import SecretStr
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import FullJitterBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from paimon.application.common.signed_action import SigningRules
from paimon.application.monitoring.scrape import Scraper
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
from paimon.infrastructure.database.sessions import Database, create_engine
from paimon.infrastructure.database.version import require_current
from paimon.infrastructure.keys.client import SignerClient
from paimon.settings import ChainSettings, Settings


@dataclass(frozen=True, slots=True)
class AppContext:
    """What a process needs to work: everything outside the domain, built and ready."""

    settings: Settings
    database: Database
    redis: Redis
    rpc: Rpc
    contracts: FundContracts
    chain: ChainAdapter
    signer: SignerClient
    private_rpc: Rpc | None = None
    """Takes our transactions first, where one is configured."""

    @property
    def signing_rules(self) -> SigningRules:
        return signing_rules(self.settings)

    def new_metrics_scraper(self) -> Scraper:
        """Collects what the database and the chain know; one a process, since it remembers."""
        settings = self.settings
        timeout_seconds = settings.health.check_timeout_seconds
        return Scraper(self.database, self.rpc, self.chain, settings.sending.low_balance_wei, timeout_seconds)

    @property
    def safes(self) -> SafeContext:
        sending = self.settings.sending
        wallet_addresses = {SafeName.WARM: sending.warm, SafeName.COLD: sending.cold}
        return SafeContext(
            database=self.database,
            contracts=self.contracts,
            chain=self.chain,
            chain_id=self.settings.chain.chain_id,
            safes={name: address for name, address in wallet_addresses.items() if address is not None},
            multi_send=sending.multi_send,
            proposal_ttl=timedelta(days=sending.proposal_ttl_days),
        )

    @property
    def plan_context(self) -> PlanContext:
        sending = self.settings.sending
        return PlanContext(
            safes=self.safes,
            hot=sending.hot,
            limits={PlanWallet.HOT: sending.hot_limits, PlanWallet.WARM: sending.warm_limits},
            hot_plan_ttl=timedelta(seconds=sending.hot_plan_ttl_seconds),
            signing_rules=self.signing_rules,
        )


def signing_rules(settings: Settings) -> SigningRules:
    scope = SigningScope(settings.chain.chain_id, settings.fund.redemption_manager)
    return SigningRules(scope, settings.approval.vote_ttl_seconds_max)


def fund_addresses(settings: Settings) -> FundAddresses:
    fund = settings.fund
    return FundAddresses(fund.vault, fund.redemption_manager, fund.asset_controller)


def fund_contracts(rpc: Rpc, settings: Settings) -> FundContracts:
    """Raises UnreadableAbi when the settings name a file that is no ABI."""
    path = settings.fund.otc_manager_abi
    return FundContracts(rpc, fund_addresses(settings), otc_abi=read_abi(path) if path else None)


def open_database(settings: Settings, *, process: str) -> Database:
    """The database as the application's role, with the replica for reads where one is configured."""
    options = settings.database

    def engine(url: str) -> AsyncEngine:
        return create_engine(
            url,
            pool_size=options.pool_size,
            connect_timeout_seconds=options.connect_timeout_seconds,
            application_name=f"paimon-{process}",
        )

    replica = engine(options.read_url.get_secret_value()) if options.read_url else None
    return Database(engine(options.url.get_secret_value()), replica)


def open_redis(settings: Settings) -> Redis:
    """A client that retries a lost connection a bounded number of times, with jitter."""
    return Redis.from_url(
        settings.redis.url.get_secret_value(),
        socket_connect_timeout=5,
        socket_timeout=2,  # of a command; a subscription waits without limit
        retry=Retry(FullJitterBackoff(cap=1, base=0.05), 3),
        retry_on_error=[RedisConnectionError, RedisTimeoutError],
    )


def open_rpc(chain: ChainSettings) -> Rpc:
    """All endpoints of the chain as one; nobody is asked before it has said that it serves this chain."""
    return Rpc(
        *(NodeUrl(each.url.get_secret_value(), each.uses) for each in chain.endpoints),
        timeout_seconds=chain.request_timeout_seconds,
        attempts_max=chain.attempts_max,
        chain_id=chain.chain_id,
    )


def open_single_endpoint_rpc(url: SecretStr, chain: ChainSettings) -> Rpc:
    """One endpoint by itself; it is not asked which chain it serves."""
    return Rpc(url.get_secret_value(), timeout_seconds=chain.request_timeout_seconds, attempts_max=chain.attempts_max)


def private_rpc(chain: ChainSettings) -> Rpc | None:
    """Of an endpoint that may know nothing but `eth_sendRawTransaction`, so no chain id is asked for."""
    return None if chain.private_tx_url is None else open_single_endpoint_rpc(chain.private_tx_url, chain)


@asynccontextmanager
async def open_app_context(settings: Settings, *, process: str) -> AsyncIterator[AppContext]:
    """Build everything a process needs; connections are opened when first used, and closed at the end of the block."""
    async with AsyncExitStack() as stack:
        database = open_database(settings, process=process)
        stack.push_async_callback(database.close)
        redis = open_redis(settings)
        stack.push_async_callback(redis.aclose)
        chain = settings.chain

        rpc = await stack.enter_async_context(open_rpc(chain))
        yield AppContext(
            settings=settings,
            database=database,
            redis=redis,
            rpc=rpc,
            contracts=fund_contracts(rpc, settings),
            chain=chain_adapter(chain.chain_id, chain.finality),
            signer=SignerClient(settings.signer.socket, settings.signer.timeout_seconds),
            private_rpc=None if (private := private_rpc(chain)) is None else await stack.enter_async_context(private),
        )


async def require_ready(context: AppContext) -> None:
    """Refuse to start on the wrong footing, with a message that says what to do.

    Raises:
        DatabaseBehind, DatabaseAhead, DatabaseOutlived: another version's migrations.
        UnsupportedServer: a server too old.
        ChainMismatch, ContractsMissing: the node or the addresses are not this fund's.
        DatabaseUnreachable, RedisUnreachable, NodeUnreachable: nobody answers.
    """
    try:
        await require_current(context.database.engine)
    except (OperationalError, PoolTimeout) as error:
        where = context.database.engine.url.render_as_string(hide_password=True)
        raise DatabaseUnreachable(
            f"PostgreSQL does not answer at {where} (PAIMON_DATABASE__URL): {_first_line(error)}"
        ) from error
    try:
        await context.redis.ping()
    except RedisError as error:
        server = context.redis.connection_pool.connection_kwargs
        raise RedisUnreachable(
            f"Redis does not answer at {server.get('host')}:{server.get('port')} (PAIMON_REDIS__URL): {_first_line(error)}"
        ) from error
    try:
        await require_chain(context.rpc, context.settings.chain.chain_id)
        await context.contracts.require_deployed(at=await context.chain.final_block(context.rpc))
    except RpcUnavailable as error:
        raise NodeUnreachable(f"{error} (PAIMON_CHAIN__RPC_URL)") from error


class DatabaseUnreachable(StartupError):
    """PostgreSQL gives no answer."""


class RedisUnreachable(StartupError):
    """Redis gives no answer."""


class NodeUnreachable(StartupError):
    """The chain's node gives no answer."""


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
