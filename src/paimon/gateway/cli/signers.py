"""`paimon signers`: show who can sign now."""

import asyncio

import typer

from paimon.application.approval_workflow.readiness import list_signer_groups
from paimon.composition import signing_rules
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.json_output import AsJson, json_of, print_json
from paimon.gateway.cli.process import exit_on_error
from paimon.gateway.cli.resources import opened_app_context
from paimon.gateway.rest.views.readiness import ReadinessView, SignerGroupView, SignerView
from paimon.infrastructure.database.clock import database_now
from paimon.settings import Settings, load_settings

app = CommandApp()


@app.command("signers")
def signers_command(context: typer.Context, as_json: AsJson = False) -> None:
    """Show who can sign now: the owners of each Safe, and each group of voters of the approval policy."""
    with exit_on_error():
        view = asyncio.run(_read(load_settings(context.obj)))
    if as_json:
        print_json(json_of(view))
        return
    for group in view.items:
        print(_heading(group))
        for signer in group.signers:
            print(f"  {_line(signer)}")


def _heading(group: SignerGroupView) -> str:
    rules = f" ({', '.join(group.rules)})" if group.rules else ""
    counts = f"{group.needed} needed, {group.able} may sign, {group.present} seen lately"
    return f"{group.readiness:<6} {group.kind.lower()} {group.name}: {counts}{rules}"


def _line(signer: SignerView) -> str:
    seen = f"seen {signer.seen_on}" if signer.seen_on else "never seen"
    return "  ".join([str(signer.model_dump(by_alias=True)["address"]), f"{signer.name or '-':<10}", seen, *signer.missing])


async def _read(settings: Settings) -> ReadinessView:
    async with opened_app_context(settings, process="signers") as opened, opened.database.read() as session:
        groups = await list_signer_groups(session, opened.safe_context, signing_rules(settings).scope)
        return ReadinessView.of(groups, await database_now(session), within=settings.approval.seen_within)
