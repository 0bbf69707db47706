"""`paimon contracts`: examine the fund's contracts now, and show what they are, have, lack, and what is not understood."""

import asyncio
from collections.abc import Iterator

import typer

from paimon.application.deployment.examine import examine_contracts
from paimon.application.deployment.queries import ExaminedDeployment, UnknownLogs, get_examined
from paimon.composition import open_app_context, require_ready
from paimon.domain.deployment.contract_facts import ContractFacts, Deployment, FoundCapability
from paimon.domain.kernel.chain import checksum, hex0x
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.json_output import AsJson, json_of, print_json
from paimon.gateway.cli.lists import Column, Table
from paimon.gateway.cli.process import exit_on_error, exit_with_message
from paimon.gateway.rest.views.contracts import DeploymentView
from paimon.settings import Settings, load_settings

app = CommandApp()

_EXIT_MISSING = 1


@app.command("contracts")
def contracts_command(context: typer.Context, as_json: AsJson = False) -> None:
    """Show what the fund's contracts are, and what they can and cannot do.

    Examine them at the last recorded block, and keep what was found. Exit with 1 when the fund cannot be valued with what they
    have.
    """
    with exit_on_error():
        examined = asyncio.run(_examine(load_settings(context.obj)))
    if as_json:
        print_json(json_of(DeploymentView.of(examined)))
    else:
        print("\n".join(_lines(examined)))
    if any(found.is_required for found in examined.deployment.absent):
        raise typer.Exit(_EXIT_MISSING)


async def _examine(settings: Settings) -> ExaminedDeployment:
    async with open_app_context(settings, process="contracts") as app_context:
        await require_ready(app_context)
        found = await examine_contracts(app_context.database, app_context.contracts)
        if found is None:
            exit_with_message("the listener has recorded no block at which the contracts are deployed: is it running?")
        async with app_context.database.read() as session:
            return await get_examined(session, app_context.contracts.abis)


def _lines(examined: ExaminedDeployment) -> Iterator[str]:
    deployment = examined.deployment
    yield from _contracts(deployment)
    yield ""
    columns: tuple[Column[FoundCapability], ...] = (
        Column("CAPABILITY", lambda found: found.capability),
        Column("", lambda found: "has" if found.is_present else "REQUIRED" if found.is_required else "has not"),
        Column("SWITCHED OFF", lambda found: found.switched_off),
        Column("MISSING", lambda found: ", ".join(map(str, found.missing)) or None),
    )
    yield from Table("capabilities", columns).lines(deployment.capabilities)
    for facts in deployment.contracts:
        if facts.unknown_selectors:
            yield ""
            yield f"{len(facts.unknown_selectors)} functions of {facts.contract} that this system does not know:"
            yield "  " + " ".join(hex0x(selector) for selector in facts.unknown_selectors)
    if examined.unknown_logs:
        yield ""
        yield from Table("logs", _UNKNOWN_LOGS).lines(examined.unknown_logs)
    yield f"at block {deployment.at.number} of {deployment.at.timestamp:%Y-%m-%d %H:%M:%S} UTC"


def _contracts(deployment: Deployment) -> list[str]:
    columns: tuple[Column[ContractFacts], ...] = (
        Column("CONTRACT", lambda facts: facts.contract),
        Column("ADDRESS", lambda facts: checksum(facts.address)),
        Column("IMPLEMENTATION", lambda facts: "no proxy" if facts.implementation is None else checksum(facts.implementation)),
        Column("ADMIN", lambda facts: None if facts.admin is None else checksum(facts.admin)),
        Column("CODE", lambda facts: f"{hex0x(facts.code_hash)[:18]}…"),
    )
    return Table("contracts", columns).lines(deployment.contracts)


_UNKNOWN_LOGS: tuple[Column[UnknownLogs], ...] = (
    Column("UNKNOWN LOGS OF", lambda logs: f"{logs.contract} {checksum(logs.address)[:10]}…"),
    Column("EVENT", lambda logs: logs.name),
    Column("COUNT", lambda logs: logs.count, is_number=True),
    Column("LAST BLOCK", lambda logs: logs.last_block, is_number=True),
)
