"""The Celery application and its tasks: one queue per priority, late acknowledgement, no state in a message.

Every task is safe to run twice and safe to lose: the outbox row, the intent or the schedule starts it again.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

import structlog
from celery import Celery, signals
from celery.exceptions import OperationalError
from celery.worker import state
from redis.exceptions import NoPermissionError, RedisError

from paimon.application.approval_policy.bounds import policy_bounds
from paimon.application.approval_policy.check_versions import check_versions, log_faults
from paimon.application.approval_workflow.check_votes import check_votes
from paimon.application.approval_workflow.queue_call import queue_decided_calls
from paimon.application.approval_workflow.sla import sweep_deadlines
from paimon.application.common.chain_position import NothingRecorded, chain_position
from paimon.application.common.live import LiveMessage
from paimon.application.deployment.confirmation import undo_unsigned_confirmations
from paimon.application.deployment.examine import examine_contracts
from paimon.application.emergency.advance import advance_emergency
from paimon.application.fund_risk.forecast import make_forecasts
from paimon.application.monitoring.check_signer import check_signer
from paimon.application.monitoring.retention import apply_retention
from paimon.application.nav.snapshots import take_snapshot
from paimon.application.notifications.deliver import deliver_forever
from paimon.application.oracle.observe import observe_prices
from paimon.application.reconciliation.publish import reconcile_and_publish
from paimon.application.redemptions.check_splits import check_splits
from paimon.application.redemptions.settlement import settle_due
from paimon.application.reports.make import make_due_reports
from paimon.application.risk_control.check_users import check_users
from paimon.application.transactions.multisig.execute import execute_ready
from paimon.application.transactions.multisig.sync import sync_safes
from paimon.application.transactions.plans.review_tickets import review_plan_tickets
from paimon.composition import AppContext, open_report_objects, opened_as_retention
from paimon.domain.kernel.chain import checksum
from paimon.domain.operations.outbox import OutboxPriority
from paimon.gateway.fund_documents import FundDocuments
from paimon.gateway.tasks.broker import AuthenticatedTransport, QueueItems
from paimon.gateway.tasks.broker_log import log_broker_outages
from paimon.gateway.tasks.fund_risk import assess_fund_risk
from paimon.gateway.tasks.handlers import drive_wallet, handlers
from paimon.gateway.tasks.heartbeat import send_heartbeat_if_well
from paimon.gateway.tasks.runtime import WorkerRuntime
from paimon.gateway.tasks.service_faults import first_line, unavailable_service
from paimon.gateway.views.live_messages import live_document
from paimon.infrastructure.blockchain.contracts.reads import CallReverted
from paimon.infrastructure.blockchain.rpc.errors import RpcError, RpcUnavailable
from paimon.infrastructure.cache import live, workers
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.leadership import lease_owner_name
from paimon.infrastructure.observability.outages import Outages
from paimon.infrastructure.queue.handler import handle
from paimon.infrastructure.queue.relay import PublishFailed, relay_forever
from paimon.settings import Settings

log = structlog.get_logger(__name__)

HANDLE = "paimon.handle"


def create_celery(settings: Settings) -> Celery:
    """A client of the queue: enough to enqueue, as the scheduler does."""
    redis = settings.redis
    app = Celery("paimon", broker=redis.url.get_secret_value())
    app.conf.update(
        broker_transport=AuthenticatedTransport,
        broker_use_ssl=redis.tls_options() or None,
        worker_enable_remote_control=False,  # its messages would come from anyone who can write to Redis
        accept_content=["json"],
        task_default_queue=OutboxPriority.NORMAL.value,
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # by default a worker ends after 100 tries; Redis may be away for longer
        worker_redirect_stdouts=False,  # log lines go to stderr as they are
        broker_transport_options={
            "visibility_timeout": 3600,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "queue_order_strategy": "priority",
            "items": QueueItems(redis),
        },
        task_publish_retry_policy={"max_retries": 2, "interval_start": 0.1, "interval_max": 0.5},
    )
    return app


def create_worker(settings: Settings, *, queues: Sequence[str]) -> Celery:
    """Create the application with its tasks, and a runtime in each child process after the fork."""
    app = create_celery(settings)
    runtime = WorkerRuntime(settings)
    outages = Outages()
    log_broker_outages(app, outages)
    signals.setup_logging.connect(_keep_logging, weak=False)

    def start(**_: object) -> None:
        runtime.start(
            lambda context: _relay(app, context),
            lambda context: _report_served(context, queues),
            lambda context: deliver_forever(context.notification_context),
        )

    def stop(**_: object) -> None:
        runtime.stop()

    signals.worker_process_init.connect(start, weak=False)
    signals.worker_process_shutdown.connect(stop, weak=False)
    for name, work in TASKS.items():
        app.task(name=name)(_synchronous(name, runtime, work, outages))
    return app


def run_worker(app: Celery, *, queues: Sequence[str], concurrency: int) -> int:
    """Run the worker until a signal ends it, and return its exit code: 0 only after a signal."""
    worker = app.Worker(
        pool="prefork",
        concurrency=concurrency,
        queues=list(queues),
        loglevel="WARNING",
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    worker.start()
    return worker_exit_code(worker.exitcode, was_signalled=state.should_stop is not None)


def worker_exit_code(celery_code: int | None, *, was_signalled: bool) -> int:
    """Return the exit code of a worker that ended.

    Celery has no code for a worker that ended by itself, and calls Ctrl-C a failure.
    """
    return 0 if was_signalled else celery_code or 1


def _keep_logging(**_: object) -> None:
    """Keep the process's set-up of logging. With a receiver for this signal, Celery does none of its own."""


def _synchronous(
    name: str, runtime: WorkerRuntime, work: Callable[..., Coroutine[Any, Any, None]], outages: Outages
) -> Callable[..., None]:
    """Wrap a coroutine function as a Celery task. Celery would mark an `async def` task as done without running it.

    A task that a service's outage ended is counted, not raised: it is due again without that.
    """

    def task(*args: Any) -> None:
        try:
            runtime.run(work(runtime.context, *args))
        except Exception as error:
            if (service := unavailable_service(error)) is None:
                raise
            outages.record_failure(service, first_line(error), task=name)
        else:
            outages.record_success(name)

    return task


async def _relay(app: Celery, context: AppContext) -> None:
    async def publish(message_id: int, priority: OutboxPriority) -> None:
        try:
            await asyncio.to_thread(app.send_task, HANDLE, args=(message_id,), queue=priority.value)
        except OperationalError as error:
            raise PublishFailed(f"the broker refused message {message_id}: {error}") from error

    queue = context.settings.queue
    await relay_forever(
        context.database,
        publish,
        batch=queue.relay_batch,
        republish_seconds=queue.republish_seconds,
        poll_seconds=queue.relay_poll_seconds,
    )


async def _report_served(context: AppContext, queues: Sequence[str]) -> None:
    """Report that this process lives and which queues it serves, until cancelled."""
    owner, outages = lease_owner_name(), Outages()
    while True:
        try:
            await workers.report_served(context.redis, queues, by=owner)
            outages.record_success("report")
        except NoPermissionError as error:  # any other error spoils the taking of tasks too, which logs the outage
            outages.record_failure("redis", first_line(error), task="report")
        except RedisError:
            pass
        await asyncio.sleep(workers.REPORT_SECONDS)


async def _handle(context: AppContext, message_id: int) -> None:
    queue = context.settings.queue
    notifications: list[LiveMessage] = await handle(
        context.database,
        handlers(context),
        message_id,
        attempts_max=queue.handler_attempts_max,
        backoff_seconds_max=queue.backoff_seconds_max,
    )
    for message in notifications:
        await live.publish(context.redis, message.channel, live_document(message))


async def _drive_wallets(context: AppContext) -> None:
    for wallet in context.settings.sending.sending_keys():
        await drive_wallet(context, checksum(wallet))


async def _sync_safes(context: AppContext) -> None:
    await sync_safes(context.safe_context)
    await review_plan_tickets(context.plan_context)
    await execute_ready(context.safe_context, keeper=context.settings.sending.keeper)


async def _check_signer(context: AppContext) -> None:
    await check_signer(context.database, context.signer)


async def _settle_due(context: AppContext) -> None:
    try:
        await settle_due(
            context.database,
            context.contracts,
            keeper=context.settings.sending.keeper,
            options=context.settings.redemption,
        )
    except (RpcUnavailable, RpcError) as error:
        log.warning("settlement.node_unavailable", reason=str(error))


async def _queue_decided_calls(context: AppContext) -> None:
    scope = context.signing_rules.scope
    async with context.database.write() as session:
        at = await chain_position(session)
        await check_votes(session, scope, block=at.number if at else 0)
    await queue_decided_calls(context.database, context.contracts, approver=context.settings.sending.approver, scope=scope)


async def _sweep_sla(context: AppContext) -> None:
    async with context.database.write() as session:
        await sweep_deadlines(session, now=await database_now(session))


async def _take_snapshot(context: AppContext) -> None:
    try:
        await take_snapshot(
            context.database,
            context.contracts,
            FundDocuments(context.database, context.redis),
            material_threshold=context.settings.nav.material_threshold_bps,
            prices=context.settings.prices.policy(),
        )
    except (RpcUnavailable, RpcError) as error:
        log.warning("snapshot.node_unavailable", reason=str(error))
    except CallReverted as error:
        log.error("snapshot.valuation_failed", reason=error.with_read)


async def _observe_prices(context: AppContext) -> None:
    try:
        await observe_prices(context.database, context.contracts, context.settings.prices)
    except (RpcUnavailable, RpcError) as error:
        log.warning("prices.node_unavailable", reason=str(error))


async def _assess_risk(context: AppContext) -> None:
    await assess_fund_risk(context, only_if_due=True)


async def _advance_emergency(context: AppContext) -> None:
    await advance_emergency(context.emergency_context)


async def _forecast_liquidity(context: AppContext) -> None:
    await make_forecasts(context.database, context.settings.risk.policy(), context.signing_rules.scope)


async def _heartbeat(context: AppContext) -> None:
    await send_heartbeat_if_well(context)


async def _reconcile(context: AppContext) -> None:
    try:
        await reconcile_and_publish(
            context.database,
            context.contracts,
            FundDocuments(context.database, context.redis),
            material_threshold=context.settings.nav.material_threshold_bps,
        )
    except (NothingRecorded, RpcUnavailable, RpcError) as error:
        log.warning("reconciliation.delayed", reason=str(error))
    except CallReverted as error:
        log.error("reconciliation.failed", reason=str(error))


async def _examine_contracts(context: AppContext) -> None:
    try:
        await examine_contracts(context.database, context.contracts)
    except (RpcUnavailable, RpcError) as error:
        log.warning("contracts.node_unavailable", reason=str(error))


async def _check_users(context: AppContext) -> None:
    async with context.database.write() as session:
        at = await chain_position(session)
        block, scope = at.number if at else 0, context.signing_rules.scope
        await check_users(session, scope, block=block)
        await check_versions(session, scope, block=block)
        await undo_unsigned_confirmations(session, scope)
        await log_faults(session, scope, policy_bounds(context.settings))


async def _check_splits(context: AppContext) -> None:
    async with context.database.write() as session:
        await check_splits(session, context.settings.redemption)


async def _apply_retention(context: AppContext) -> None:
    async with opened_as_retention(context.settings) as database:
        if database is None:
            log.warning("retention.not_configured", hint="set PAIMON_DATABASE__RETENTION_URL: nothing expired is removed")
            return
        await apply_retention(database, context.settings.retention)


async def _make_reports(context: AppContext) -> None:
    settings = context.settings
    async with context.database.read() as session:
        now = await database_now(session)
    objects = open_report_objects(settings)
    steps_max = settings.nav.attribution_intervals_max
    await make_due_reports(context.database, objects, settings.reports, now=now, steps_max=steps_max)


TASKS: Final[dict[str, Callable[..., Coroutine[Any, Any, None]]]] = {
    HANDLE: _handle,
    "paimon.drive_wallets": _drive_wallets,
    "paimon.sync_safes": _sync_safes,
    "paimon.check_signer": _check_signer,
    "paimon.settle_due": _settle_due,
    "paimon.queue_decided_calls": _queue_decided_calls,
    "paimon.sweep_sla": _sweep_sla,
    "paimon.check_users": _check_users,
    "paimon.check_splits": _check_splits,
    "paimon.observe_prices": _observe_prices,
    "paimon.take_snapshot": _take_snapshot,
    "paimon.assess_risk": _assess_risk,
    "paimon.advance_emergency": _advance_emergency,
    "paimon.forecast_liquidity": _forecast_liquidity,
    "paimon.heartbeat": _heartbeat,
    "paimon.reconcile": _reconcile,
    "paimon.make_reports": _make_reports,
    "paimon.examine_contracts": _examine_contracts,
    "paimon.apply_retention": _apply_retention,
}
"""Every task by name. The relay sends the first, the scheduler sends the others (`application/scheduler/jobs`)."""
