"""`paimon recover`: a recorded final block is not on the chain any more; back to the last one that is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated

import typer

from paimon.application.event_listener.ingest.halt import LISTENER, find_halt
from paimon.application.nav.publication import show_anew
from paimon.application.reorg_recovery.node_quorum import Witnesses
from paimon.application.reorg_recovery.recover import Plan, Recovered, make_plan, recover
from paimon.composition import House, open_house
from paimon.domain.chain.endpoint_health import Use
from paimon.domain.kernel.chain import hex0x
from paimon.domain.risk.risk_event import RiskEvent
from paimon.gateway.cli.process import explained, rare_collections
from paimon.gateway.cli.replay import shown_progress
from paimon.gateway.cli.resources import opened_owner
from paimon.gateway.cli.text import counted
from paimon.infrastructure.blockchain.finality import require_chain
from paimon.infrastructure.blockchain.rpc import Rpc
from paimon.infrastructure.database.leadership import owner_name
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
def recover_now(context: typer.Context, endpoint: Endpoints = None, to: To = None) -> None:
    """Compare what is recorded with two nodes and show what would go; with --to, go back to their common ancestor.

    Without --to nothing is changed, and the exit code is 1 when there is something to do.
    """
    with (
        explained(node_of="PAIMON_CHAIN__RPC_URL, or an --endpoint" if endpoint else "PAIMON_CHAIN__RPC_URL"),
        rare_collections(),
    ):
        settings = load_settings(context.obj)
        if to is None:
            plan, halted = asyncio.run(_look(settings, endpoint or []))
            _tell(plan, halted)
            raise typer.Exit(1 if plan.found.changed or halted else 0)
        done = asyncio.run(_carry_out(settings, endpoint or [], to))
    _tell_done(done)


async def _look(settings: Settings, more: list[str]) -> tuple[Plan, RiskEvent | None]:
    async with open_house(settings, process="recover") as house, _witnesses(house, more) as witnesses:
        await require_current(house.database.engine)
        async with house.database.read() as session:
            return await make_plan(session, witnesses), await find_halt(session)


async def _carry_out(settings: Settings, more: list[str], to: int) -> Recovered:
    async with (
        opened_owner(settings, process="recover") as engine,
        open_house(settings, process="recover") as house,
        _witnesses(house, more) as witnesses,
    ):
        with shown_progress() as progress:
            done = await recover(
                engine, house.contracts, witnesses, to=to, lease=LISTENER, owner=owner_name(), progress=progress
            )
        await show_anew(house.database, house.redis)
        return done


@asynccontextmanager
async def _witnesses(house: House, more: list[str]) -> AsyncIterator[Witnesses]:
    """The configured endpoints, each by itself, and those that were named."""
    options = house.settings.chain
    async with AsyncExitStack() as stack:
        others = [
            await stack.enter_async_context(
                Rpc(url, timeout_seconds=options.request_timeout_seconds, attempts_max=options.attempts_max)
            )
            for url in more
        ]
        with explained(node_of="--endpoint"):
            for each in others:
                await require_chain(each, options.chain_id, urls_of="--endpoint")
        configured = [house.rpc.named(each.name) for each in house.rpc.endpoints() if Use.READ in each.uses]
        yield await Witnesses.called([*configured, *others], house.chain, chain_id=options.chain_id)


def _tell(plan: Plan, halted: RiskEvent | None) -> None:
    found = plan.found
    print(f"the listener {f'is halted: {halted.found.observed}, {halted.found.expected}' if halted else 'is not halted'}")
    print(f"recorded up to block {found.cursor.number} {hex0x(found.cursor.hash)}")
    if found.changed is None:
        print("all of it is on the chain by every node asked; nothing would go")
    else:
        print(f"from block {found.changed.recorded.number} on the nodes have another chain:")
        print(f"  recorded {hex0x(found.changed.recorded.hash)}, now {hex0x(found.changed.now)}")
        print(f"common ancestor: block {found.ancestor.number} {hex0x(found.ancestor.hash)}")
        print("would go, above it:")
        _tell_rows(plan)
        print("and every table that follows from the logs would be rebuilt from those that stay")
        _tell_effects(plan)
    if found.changed or halted:
        print(f"to carry it out: paimon recover --to {found.ancestor.number} (with the same --endpoint)")


def _tell_done(done: Recovered) -> None:
    found = done.plan.found
    if found.changed is None:
        print("nothing had to go; the listener goes on")
        return
    print(f"the books stand at block {found.ancestor.number} {hex0x(found.ancestor.hash)}; the listener goes on from there")
    print("gone, above it:")
    _tell_rows(done.plan)
    for table, rows in done.rows_changed.items():
        print(f"  {table}: {counted(rows, 'row')} rebuilt")
    _tell_effects(done.plan)


def _tell_rows(plan: Plan) -> None:
    for table, rows in plan.rows.items():
        print(f"  {table}: {counted(rows, 'row')}")


def _tell_effects(plan: Plan) -> None:
    print(f"left the house because of these blocks, each a risk event for a person: {len(plan.effects)}")
    for each in plan.effects:
        print(f"  {each.severity} {each}")
