"""`paimon planner`: make the fund's own plans and sign them, under a lease."""

import asyncio
from dataclasses import replace

import structlog
import typer

from paimon.application.nav.as_of import NoSnapshotYet
from paimon.application.rebalance_engine.planner_signature import Planner
from paimon.application.rebalance_engine.rebalance import rebalance_once
from paimon.application.rebalance_engine.refill_buffer import refill_buffer
from paimon.composition import AppContext, open_app_context, require_ready
from paimon.domain.kernel.chain import checksum
from paimon.domain.kernel.units import RawAmount
from paimon.domain.rebalance.buffer import PlannerLook, RefillPolicy
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon.domain.user.roles import User, UserRole
from paimon.errors import Conflict, InvalidRequest, Unavailable
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.keystore_signing import DocumentSigner
from paimon.gateway.cli.process import exit_on_error, run_until_signalled, settings_for
from paimon.infrastructure.blockchain.rpc.errors import RpcError, RpcUnavailable
from paimon.infrastructure.database.leadership import run_as_leader
from paimon.infrastructure.database.leases import HeldLease
from paimon.infrastructure.keys.key import KeyUnavailable
from paimon.infrastructure.keys.keystore import KeystoreError
from paimon.infrastructure.keys.open_key import KeyServices, KeySource, KeySupportMissing
from paimon.infrastructure.observability.exposition import serve_metrics
from paimon.infrastructure.observability.metrics import PLANNER_LOOKED_AT, PLANNER_LOOKS
from paimon.settings import PlannerSettings, Settings, SettingsError

log = structlog.get_logger(__name__)

app = CommandApp()


@app.command()
def planner(context: typer.Context) -> None:
    """Make the fund's own plans, and sign them with the planner's key.

    Of several planners one works and the others stand by.
    """
    with exit_on_error():
        run_until_signalled(_run_planner(settings_for(context, "planner")))


async def _run_planner(settings: Settings) -> None:
    async with open_app_context(settings, process="planner") as app_context:
        await require_ready(app_context)
        author = await open_planner(settings.planner)
        _require_known_to_the_worker(author, settings)

        async def plan_while_held(_lease: HeldLease) -> None:
            log.info("planner.started", address=checksum(author.user.address))
            while True:
                await plan_once(author, app_context)
                await asyncio.sleep(settings.planner.check_seconds)

        async with serve_metrics("planner", settings.metrics.host, settings.metrics.planner_port):
            await run_as_leader(
                app_context.database,
                "planner",
                plan_while_held,
                ttl_seconds=settings.lease.ttl_seconds,
                renew_seconds=settings.lease.renew_seconds,
            )


async def open_planner(options: PlannerSettings) -> Planner:
    """Open the planner's key. What its signature is worth stands in the signer's policy, not in the database's users.

    Raises:
        SettingsError: there is no key, or more than one; or it cannot be opened.
    """
    source = KeySource(options.keystore, options.password_file, options.kms_key, options.gcp_key_version)
    if source.fault is not None:
        raise SettingsError(
            "the planner signs its plans: set PAIMON_PLANNER__KEYSTORE and PAIMON_PLANNER__PASSWORD_FILE, or"
            " PAIMON_PLANNER__KMS_KEY and PAIMON_PLANNER__KMS_REGION, or PAIMON_PLANNER__GCP_KEY_VERSION, and not several"
        )
    services = KeyServices(options.kms_region, options.kms_endpoint_url, options.gcp_endpoint_url)
    try:
        key = await services.open(source)
    except (KeystoreError, KeyUnavailable, KeySupportMissing) as error:
        raise SettingsError(f"the planner's key: {error}") from error
    signer = DocumentSigner(User(key.address, UserRole.OPERATOR, "planner"), key)
    return Planner(signer.user, signer.sign)


def _require_known_to_the_worker(author: Planner, settings: Settings) -> None:
    """Raises SettingsError when the worker, with the same setting, would report the planner's plans as a stranger's."""
    stated, own = settings.sending.planner, author.user.address
    if stated != own:
        says = "is not set" if stated is None else f"is {checksum(stated)}"
        raise SettingsError(
            f"PAIMON_SENDING__PLANNER {says}, the planner's key has the address {checksum(own)}: set it in the settings of the"
            " planner and of the workers, who report plans of anyone else as UNSIGNED_MOVEMENT"
        )


async def plan_once(author: Planner, app_context: AppContext) -> PlannerLook:
    """Look at the fund once. What keeps a plan from being made now is logged, and looked at again the next time."""
    look = await _look(author, app_context)
    PLANNER_LOOKS.labels(look.value).inc()
    PLANNER_LOOKED_AT.set_to_current_time()
    return look


async def _look(author: Planner, app_context: AppContext) -> PlannerLook:
    """Refill L1 if that is due; otherwise let the rebalance engine look."""
    settings, context = app_context.settings, app_context.plan_context
    own = replace(context, limits={**context.limits, PlanWallet.HOT: settings.planner.limits})
    try:
        decimals = await context.contracts.asset_decimals(at=await context.final_block())
        refill = RefillPolicy(settings.planner.refill_below_bps, RawAmount(settings.planner.smallest_plan * 10**decimals))
        if await refill_buffer(author, refill, own) is not None:
            return PlannerLook.PLANNED
        return await rebalance_once(author, app_context.rebalance_context(own))
    except (RpcUnavailable, RpcError) as error:
        log.warning("planner.node_unavailable", reason=str(error))
        return PlannerLook.UNAVAILABLE
    except NoSnapshotYet as error:
        log.info("planner.no_snapshot", reason=str(error))
        return PlannerLook.NOTHING_DUE
    except KeyUnavailable as error:
        log.error("planner.key_unavailable", reason=str(error))
        return PlannerLook.UNAVAILABLE
    except Unavailable as error:
        log.error("planner.unavailable", reason=str(error))
        return PlannerLook.UNAVAILABLE
    except (Conflict, InvalidRequest) as error:
        log.error("planner.no_plan", reason=str(error))
        return PlannerLook.NO_PLAN
