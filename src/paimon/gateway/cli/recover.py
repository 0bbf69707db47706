"""`paimon recover`: a recorded final block is not on the chain any more; back to the last one that is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated

import typer

from paimon.application.event_listener.ingest.halt import LISTENER, find_halt
from paimon.application.nav.publication import republish_nav
from paimon.application.reorg_recovery.node_quorum import NodeQuorum
from paimon.application.reorg_recovery.recover import RecoveryPlan, RecoveryResult, plan_recovery, recover
from paimon.composition import AppContext, open_app_context
from paimon.domain.chain.endpoint_health import EndpointUse
from paimon.domain.kernel.chain import hex0x
from paimon.domain.risk.risk_event import RiskEvent
from paimon.gateway.cli.process import exit_on_error, infrequent_gc
from paimon.gateway.cli.replay import shown_progress
from paimon.gateway.cli.resources import opened_owner
from paimon.gateway.cli.text import pluralize
from paimon.infrastructure.blockchain.finality import require_chain
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.database.leadership import lease_owner_name
from paimon.infrastructure.database.version import require_current
from paimon.settings import Settings, load_settings

app = typer.Typer()

Endpoints = Annotated[
    list[str] | None,
    typer.Option("--endpoint", metavar="URL", help="Another node to ask, of another provider; may be given several times."),
]
To = Annotated[
    int | None, typer.Option(metavar="BLOCK", help="Carry it out; BLOCK is the common ancestor that was shown before.")
]


@app.command("recover")
def recover_command(context: typer.Context, endpoint: Endpoints = None, to: To = None) -> None:
    """Compare what is recorded with two nodes and show what would go; with --to, go back to their common ancestor.

    Without --to nothing is changed, and the exit code is 1 when there is something to do.
    """
    with (
        exit_on_error(node_setting="PAIMON_CHAIN__RPC_URL, or an --endpoint" if endpoint else "PAIMON_CHAIN__RPC_URL"),
        infrequent_gc(),
    ):
        settings = load_settings(context.obj)
        if to is None:
            plan, halted = asyncio.run(_show_plan(settings, endpoint or []))
            _print_plan(plan, halted)
            raise typer.Exit(1 if plan.fork.changed or halted else 0)
        done = asyncio.run(_recover(settings, endpoint or [], to))
    _print_result(done)


async def _show_plan(settings: Settings, endpoint_urls: list[str]) -> tuple[RecoveryPlan, RiskEvent | None]:
    async with (
        open_app_context(settings, process="recover") as app_context,
        _node_quorum(app_context, endpoint_urls) as node_quorum,
    ):
        await require_current(app_context.database.engine)
        async with app_context.database.read() as session:
            return await plan_recovery(session, node_quorum), await find_halt(session)


async def _recover(settings: Settings, endpoint_urls: list[str], to: int) -> RecoveryResult:
    async with (
        opened_owner(settings, process="recover") as engine,
        open_app_context(settings, process="recover") as app_context,
        _node_quorum(app_context, endpoint_urls) as node_quorum,
    ):
        with shown_progress() as progress:
            done = await recover(
                engine, app_context.contracts, node_quorum, to=to, lease=LISTENER, owner=lease_owner_name(), progress=progress
            )
        await republish_nav(app_context.database, app_context.redis)
        return done


@asynccontextmanager
async def _node_quorum(app_context: AppContext, endpoint_urls: list[str]) -> AsyncIterator[NodeQuorum]:
    """The configured endpoints, each by itself, and those that were named."""
    options = app_context.settings.chain
    async with AsyncExitStack() as stack:
        other_nodes = [
            await stack.enter_async_context(
                Rpc(url, timeout_seconds=options.request_timeout_seconds, attempts_max=options.attempts_max)
            )
            for url in endpoint_urls
        ]
        with exit_on_error(node_setting="--endpoint"):
            for each in other_nodes:
                await require_chain(each, options.chain_id, urls_setting="--endpoint")
        configured = [app_context.rpc.named(each.name) for each in app_context.rpc.endpoints() if EndpointUse.READ in each.uses]
        yield await NodeQuorum.connect([*configured, *other_nodes], app_context.chain, chain_id=options.chain_id)


def _print_plan(plan: RecoveryPlan, halted: RiskEvent | None) -> None:
    found = plan.fork
    print(f"the listener {f'is halted: {halted.finding.observed}, {halted.finding.expected}' if halted else 'is not halted'}")
    print(f"recorded up to block {found.cursor.number} {hex0x(found.cursor.hash)}")
    if found.changed is None:
        print("all of it is on the chain by every node asked; nothing would go")
    else:
        print(f"from block {found.changed.recorded.number} on the nodes have another chain:")
        print(f"  recorded {hex0x(found.changed.recorded.hash)}, now {hex0x(found.changed.hash_now)}")
        print(f"common ancestor: block {found.ancestor.number} {hex0x(found.ancestor.hash)}")
        print("would go, above it:")
        _print_rows(plan)
        print("and every table that follows from the logs would be rebuilt from those that stay")
        _print_effects(plan)
    if found.changed or halted:
        print(f"to carry it out: paimon recover --to {found.ancestor.number} (with the same --endpoint)")


def _print_result(done: RecoveryResult) -> None:
    found = done.plan.fork
    if found.changed is None:
        print("nothing had to go; the listener goes on")
        return
    print(f"the books stand at block {found.ancestor.number} {hex0x(found.ancestor.hash)}; the listener goes on from there")
    print("gone, above it:")
    _print_rows(done.plan)
    for table, rows in done.rows_changed.items():
        print(f"  {table}: {pluralize(rows, 'row')} rebuilt")
    _print_effects(done.plan)


def _print_rows(plan: RecoveryPlan) -> None:
    for table, rows in plan.rows.items():
        print(f"  {table}: {pluralize(rows, 'row')}")


def _print_effects(plan: RecoveryPlan) -> None:
    print(f"left the house because of these blocks, each a risk event for a person: {len(plan.effects)}")
    for each in plan.effects:
        print(f"  {each.severity} {each}")
