"""`paimon recover`: go back to the last common block after a reorganisation removed recorded final blocks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated

import typer

from paimon.application.event_listener.ingest.halt import LISTENER, find_halt
from paimon.application.reorg_recovery.node_quorum import NodeQuorum
from paimon.application.reorg_recovery.recover import RecoveryPlan, RecoveryResult, plan_recovery, recover
from paimon.composition import AppContext, open_app_context
from paimon.domain.chain.endpoint_health import EndpointUse
from paimon.domain.kernel.chain import hex0x
from paimon.domain.risk.risk_event import RiskEvent
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.process import exit_on_error, infrequent_gc, who_runs_this
from paimon.gateway.cli.replay import replay_progress
from paimon.gateway.cli.resources import opened_app_context, opened_owner_engine
from paimon.gateway.cli.text import pluralize
from paimon.gateway.fund_documents import FundDocuments
from paimon.infrastructure.blockchain.finality import require_chain
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.infrastructure.database.leadership import lease_owner_name
from paimon.settings import Settings, load_settings

app = CommandApp()

Endpoints = Annotated[
    list[str] | None,
    typer.Option("--endpoint", metavar="URL", help="Another node to ask, of another provider. May be given several times."),
]
To = Annotated[
    int | None,
    typer.Option(metavar="BLOCK", help="Recover. BLOCK is the common ancestor that `paimon recover` shows without --to."),
]


@app.command("recover")
def recover_command(context: typer.Context, endpoint: Endpoints = None, to: To = None) -> None:
    """Compare the recorded blocks with two nodes; with --to, go back to their common ancestor.

    Without --to the command shows what would be removed and changes nothing. The exit code is then 1 when there is something to
    recover.
    """
    with (
        exit_on_error(node_setting="PAIMON_CHAIN__RPC_URL, or an --endpoint" if endpoint else "PAIMON_CHAIN__RPC_URL"),
        infrequent_gc(),
    ):
        settings = load_settings(context.obj)
        if to is None:
            plan, halt = asyncio.run(_plan(settings, endpoint or []))
            _print_plan(plan, halt)
            raise typer.Exit(1 if plan.fork.changed or halt else 0)
        result = asyncio.run(_recover(settings, endpoint or [], to))
    _print_result(result)


async def _plan(settings: Settings, endpoint_urls: list[str]) -> tuple[RecoveryPlan, RiskEvent | None]:
    async with (
        opened_app_context(settings, process="recover") as app_context,
        _node_quorum(app_context, endpoint_urls) as node_quorum,
        app_context.database.read() as session,
    ):
        return await plan_recovery(session, node_quorum), await find_halt(session)


async def _recover(settings: Settings, endpoint_urls: list[str], to: int) -> RecoveryResult:
    async with (
        opened_owner_engine(settings, process="recover") as engine,
        open_app_context(settings, process="recover") as app_context,
        _node_quorum(app_context, endpoint_urls) as node_quorum,
    ):
        with replay_progress() as progress:
            result = await recover(
                engine,
                app_context.contracts,
                node_quorum,
                to=to,
                lease=LISTENER,
                owner=lease_owner_name(),
                run_by=who_runs_this(),
                progress=progress,
            )
        await FundDocuments(app_context.database, app_context.redis).publish_nav()
        return result


@asynccontextmanager
async def _node_quorum(app_context: AppContext, endpoint_urls: list[str]) -> AsyncIterator[NodeQuorum]:
    """Connect to each configured endpoint by itself, and to those of the command line."""
    options = app_context.settings.chain
    async with AsyncExitStack() as stack:
        other_nodes = [
            await stack.enter_async_context(
                Rpc(url, timeout_seconds=options.request_timeout_seconds, attempts_max=options.attempts_max)
            )
            for url in endpoint_urls
        ]
        with exit_on_error(node_setting="--endpoint"):
            for node in other_nodes:
                await require_chain(node, options.chain_id, urls_setting="--endpoint")
        configured = [
            app_context.rpc.only_endpoint(endpoint.name)
            for endpoint in app_context.rpc.endpoints()
            if EndpointUse.READ in endpoint.uses
        ]
        yield await NodeQuorum.connect([*configured, *other_nodes], app_context.chain, chain_id=options.chain_id)


def _print_plan(plan: RecoveryPlan, halt: RiskEvent | None) -> None:
    fork = plan.fork
    print(f"the listener {f'is halted: {halt.finding.observed}, {halt.finding.expected}' if halt else 'is not halted'}")
    print(f"recorded up to block {fork.cursor.number} {hex0x(fork.cursor.hash)}")
    if fork.changed is None:
        print("every node has all recorded blocks; nothing would be removed")
    else:
        print(f"from block {fork.changed.recorded.number} on the nodes have another chain:")
        print(f"  recorded {hex0x(fork.changed.recorded.hash)}, now {hex0x(fork.changed.hash_now)}")
        print(f"common ancestor: block {fork.ancestor.number} {hex0x(fork.ancestor.hash)}")
        print("would be removed above it:")
        _print_rows(plan)
        print("every table derived from the logs would be rebuilt from those that remain")
        _print_effects(plan)
    if fork.changed or halt:
        print(f"to recover: paimon recover --to {fork.ancestor.number} (with the same --endpoint)")


def _print_result(result: RecoveryResult) -> None:
    fork = result.plan.fork
    if fork.changed is None:
        print("nothing had to be removed; the listener goes on")
        return
    print(f"recorded up to block {fork.ancestor.number} {hex0x(fork.ancestor.hash)}; the listener goes on from there")
    print("removed above it:")
    _print_rows(result.plan)
    for table, rows in result.rows_changed.items():
        print(f"  {table}: {pluralize(rows, 'row')} rebuilt")
    _print_effects(result.plan)


def _print_rows(plan: RecoveryPlan) -> None:
    for table, rows in plan.rows.items():
        print(f"  {table}: {pluralize(rows, 'row')}")


def _print_effects(plan: RecoveryPlan) -> None:
    print(f"effects that rest on these blocks, each a risk event to handle: {len(plan.effects)}")
    for effect in plan.effects:
        print(f"  {effect.severity} {effect}")
