"""The Celery application: queues by priority, late acknowledgement, and nothing of value in a message.

Every task is safe to run twice and safe to lose: the outbox row, the intent or the clock brings it back.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog
from celery import Celery, signals
from celery.exceptions import OperationalError

from paimon.application.approval_workflow.queue_call import carry_out_decided
from paimon.application.approval_workflow.sla import sweep
from paimon.application.common.live import LiveMessage
from paimon.application.monitoring.retention import apply_retention
from paimon.application.nav.snapshots import take_snapshot
from paimon.application.reconciliation.publish import compare_and_publish
from paimon.application.reconciliation.reconcile import NothingRecorded
from paimon.application.redemptions.settlement import settle_due
from paimon.application.transactions.multisig.execute import execute_ready
from paimon.application.transactions.multisig.sync import observe_safes
from paimon.composition import House
from paimon.domain.kernel.chain import checksum
from paimon.gateway.tasks.handlers import drive_wallet, handlers
from paimon.gateway.tasks.runtime import WorkerRuntime
from paimon.infrastructure.blockchain.contracts import CallReverted
from paimon.infrastructure.blockchain.rpc import RpcError, RpcUnavailable
from paimon.infrastructure.cache import live
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.outbox import OutboxPriority
from paimon.infrastructure.queue.handler import handle
from paimon.infrastructure.queue.relay import PublishFailed, relay_forever
from paimon.settings import Settings

log = structlog.get_logger(__name__)

HANDLE = "paimon.handle"


def create_celery(settings: Settings) -> Celery:
    """A client of the queue: enough to enqueue, as the scheduler does."""
    app = Celery("paimon", broker=settings.redis.url.get_secret_value())
    app.conf.update(
        task_default_queue=OutboxPriority.NORMAL.value,
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "visibility_timeout": 3600,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "queue_order_strategy": "priority",
        },
        task_publish_retry_policy={"max_retries": 2, "interval_start": 0.1, "interval_max": 0.5},
    )
    return app


def create_worker(settings: Settings) -> Celery:
    """The application with its tasks, and a runtime in each child process, made after the fork."""
    app = create_celery(settings)
    runtime = WorkerRuntime(settings)

    def start(**_: object) -> None:
        runtime.start(lambda house: _relay(app, house))

    def stop(**_: object) -> None:
        runtime.stop()

    signals.worker_process_init.connect(start, weak=False)
    signals.worker_process_shutdown.connect(stop, weak=False)
    for name, work in TASKS.items():
        app.task(name=name)(_synchronous(runtime, work))
    return app


def _synchronous(runtime: WorkerRuntime, work: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A Celery task around a coroutine function: an `async def` task would be marked done without ever running."""

    def task(*args: Any) -> None:
        runtime.run(work(runtime.house, *args))

    return task


async def _relay(app: Celery, house: House) -> None:
    async def publish(message_id: int, priority: OutboxPriority) -> None:
        try:
            await asyncio.to_thread(app.send_task, HANDLE, args=(message_id,), queue=priority.value)
        except OperationalError as error:
            raise PublishFailed(f"the broker did not take message {message_id}: {error}") from error

    queue = house.settings.queue
    await relay_forever(
        house.database,
        publish,
        batch=queue.relay_batch,
        republish_seconds=queue.republish_seconds,
        poll_seconds=queue.relay_poll_seconds,
    )


async def _handle(house: House, message_id: int) -> None:
    queue = house.settings.queue
    told: list[LiveMessage] = await handle(
        house.database,
        handlers(house),
        message_id,
        attempts_max=queue.handler_attempts_max,
        backoff_seconds_max=queue.backoff_seconds_max,
    )
    for message in told:
        await live.publish(house.redis, message.channel, message.data)


async def _drive_wallets(house: House) -> None:
    for wallet in house.settings.sending.sending_keys():
        await drive_wallet(house, checksum(wallet))


async def _observe_safes(house: House) -> None:
    await observe_safes(house.safes)
    await execute_ready(house.safes, keeper=house.settings.sending.keeper)


async def _settle_due(house: House) -> None:
    try:
        await settle_due(house.database, house.contracts, keeper=house.settings.sending.keeper)
    except (RpcUnavailable, RpcError) as error:
        log.warning("settlement.waits_for_node", reason=str(error))


async def _carry_out_decided(house: House) -> None:
    await carry_out_decided(house.database, house.contracts, approver=house.settings.sending.approver)


async def _sweep_sla(house: House) -> None:
    async with house.database.write() as session:
        await sweep(session, now=await database_now(session))


async def _take_snapshot(house: House) -> None:
    try:
        await take_snapshot(house.database, house.contracts, house.redis, material=house.settings.nav.material_bps)
    except (RpcUnavailable, RpcError) as error:
        log.warning("snapshot.waits_for_node", reason=str(error))
    except CallReverted as error:
        log.error("snapshot.fund_cannot_be_valued", reason=str(error))


async def _reconcile(house: House) -> None:
    try:
        await compare_and_publish(house.database, house.contracts, house.redis, material=house.settings.nav.material_bps)
    except (NothingRecorded, RpcUnavailable, RpcError) as error:
        log.warning("reconcile.not_possible", reason=str(error))
    except CallReverted as error:
        log.error("reconcile.fund_cannot_be_read", reason=str(error))


async def _apply_retention(house: House) -> None:
    await apply_retention(house.database, house.settings.retention)


TASKS: Final[dict[str, Callable[..., Coroutine[Any, Any, None]]]] = {
    HANDLE: _handle,
    "paimon.drive_wallets": _drive_wallets,
    "paimon.observe_safes": _observe_safes,
    "paimon.settle_due": _settle_due,
    "paimon.carry_out_decided": _carry_out_decided,
    "paimon.sweep_sla": _sweep_sla,
    "paimon.take_snapshot": _take_snapshot,
    "paimon.reconcile": _reconcile,
    "paimon.apply_retention": _apply_retention,
}
"""Every task by name: the first is sent by the relay, the others by the scheduler (`application/scheduler/jobs`)."""
