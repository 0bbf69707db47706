"""`paimon emergency`: show the emergency protocol, submit or decline its steps, stand it down, and drill it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Annotated, Final

import typer

from paimon.application.common.signed_action import ProposedAction
from paimon.application.emergency.people import (
    decline_step,
    propose_decline,
    propose_drill,
    propose_drill_signature,
    propose_stand_down,
    sign_drill_step,
    stand_down_emergency,
    start_drill,
)
from paimon.application.emergency.queries import EmergencyDetail, read_emergencies, read_emergency
from paimon.application.emergency.step_plans import plan_of
from paimon.application.emergency.store import EmergencyNotFound, get_emergency
from paimon.application.identity.accept_action import SignedRequest
from paimon.application.transactions.plans.calls import PlanRequest
from paimon.composition import AppContext
from paimon.domain.kernel.chain import checksum
from paimon.domain.risk.emergency import OPEN_STEPS, STEPS, StepKind, StepStatus, require_step
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.json_output import AsJson, json_of, print_json
from paimon.gateway.cli.keystore_signing import (
    DocumentSigner,
    KeystoreOption,
    PasswordOption,
    ReasonOption,
    load_signer,
    sign_action,
)
from paimon.gateway.cli.lists import Column, Table, minute
from paimon.gateway.cli.process import exit_on_error
from paimon.gateway.cli.resources import opened_app_context, opened_database
from paimon.gateway.cli.tx_plans import submit_request
from paimon.gateway.rest.views.emergencies import EmergenciesView, EmergencyDetailView, EmergencyStepView, EmergencyView
from paimon.infrastructure.database.sessions import WriteSession
from paimon.settings import Settings, load_settings

app = CommandApp(
    help="Show the emergency protocol, submit or decline its steps, stand it down, and drill it.", no_args_is_help=True
)

_PROCESS: Final = "emergency"
_Number = Annotated[int, typer.Argument(min=1, metavar="NUMBER", help="The number of the emergency or drill.")]
_Step = Annotated[StepKind, typer.Argument(case_sensitive=False, metavar="STEP", help="The step, such as PAUSE_VAULT.")]

_LIST: Final[Table[EmergencyView]] = Table(
    "emergencies",
    (
        Column("NUMBER", lambda found: found.id, is_number=True),
        Column("KIND", lambda found: "drill" if found.is_drill else "emergency"),
        Column("STATE", lambda found: found.state),
        Column("STARTED", lambda found: minute(found.started_at)),
        Column("ENDED", lambda found: "" if found.ended_at is None else minute(found.ended_at)),
        Column("REASON", lambda found: found.end_reason or ""),
    ),
)
_STEPS: Final[Table[EmergencyStepView]] = Table(
    "steps",
    (
        Column("STEP", lambda step: step.kind),
        Column("STATUS", lambda step: step.status),
        Column("SINCE", lambda step: minute(step.since)),
        Column("WAITS FOR", lambda step: _waits_for(step)),
        Column("", lambda step: "" if step.is_selected else "not selected"),
    ),
)


def _waits_for(step: EmergencyStepView) -> str:
    if step.status not in OPEN_STEPS:
        return ""
    if step.request is None:
        return f"owners: paimon emergency sign; signed: {len(step.signed_by)}"
    if step.status is StepStatus.PROPOSED:
        return "a person to submit it"
    if step.signatures_needed is None:
        return f"owners; signed: {len(step.signed_by)}"
    missing = ", ".join(checksum(owner) for owner in step.missing_signers)
    behind = "" if step.behind_nonce is None else f"; behind nonce {step.behind_nonce}: execute or reject it first"
    return f"{max(step.signatures_needed - len(step.signed_by), 0)} of {missing}{behind}"


def _decide(
    context: typer.Context,
    keystore: Path,
    password_file: Path,
    reason: str,
    propose: Callable[[WriteSession, AppContext, DocumentSigner], Awaitable[ProposedAction]],
    decide: Callable[[AppContext, SignedRequest], Awaitable[None]],
) -> None:
    """Sign what is proposed with the person's own key, and have it done."""

    async def run(settings: Settings) -> None:
        async with opened_app_context(settings, process=_PROCESS) as app_context:
            signer = await load_signer(app_context, keystore, password_file)
            async with app_context.database.write() as session:
                proposed = await propose(session, app_context, signer)
            request = await sign_action(app_context, proposed, keystore=keystore, password_file=password_file, reason=reason)
            await decide(app_context, request)

    with exit_on_error():
        asyncio.run(run(load_settings(context.obj)))


@app.command("list")
def list_command(context: typer.Context, as_json: AsJson = False) -> None:
    """List the newest emergencies and drills, latest first. Times are in UTC."""

    async def read(settings: Settings) -> EmergenciesView:
        async with opened_database(settings, process=_PROCESS) as database, database.read() as session:
            return EmergenciesView.of(await read_emergencies(session))

    with exit_on_error():
        found = asyncio.run(read(load_settings(context.obj)))
    if as_json:
        print_json(json_of(found))
    elif found.items:
        print("\n".join(_LIST.lines(found.items)))
    else:
        print("no emergencies and no drills yet: `paimon emergency drill` starts a drill")


@app.command()
def show(
    context: typer.Context,
    number: Annotated[int | None, typer.Argument(min=1, metavar="[NUMBER]", help="The newest one if not given.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show an emergency or a drill: its steps with who is waited for, and its timeline."""

    async def read(settings: Settings) -> EmergencyDetail:
        async with opened_app_context(settings, process=_PROCESS) as app_context, app_context.database.read() as session:
            newest = [found.emergency.id for found in (await read_emergencies(session))[:1]]
            if not (wanted := [number] if number is not None else newest):
                raise EmergencyNotFound("there was no emergency and no drill yet")
            return await read_emergency(session, wanted[0], app_context.plan_context)

    with exit_on_error():
        found = asyncio.run(read(load_settings(context.obj)))
    view = EmergencyDetailView.of_detail(found)
    if as_json:
        print_json(json_of(view))
    else:
        print("\n".join(_lines(view)))


def _lines(found: EmergencyDetailView) -> Iterator[str]:
    name = f"{'DRILL' if found.is_drill else 'EMERGENCY'} {found.id}"
    yield f"{name}: {found.state} since {minute(found.state_since)} UTC; started {minute(found.started_at)} UTC"
    if found.end_reason:
        yield f"  {found.end_reason}"
    if found.steps:
        yield from _STEPS.lines(found.steps)
    yield from (f"  {step.kind}: {step.warning}" for step in found.steps if step.warning)
    for entry in found.timeline:
        who = f" by {checksum(entry.actor)}" if entry.actor else ""
        yield f"{entry.at:%Y-%m-%d %H:%M:%S} {entry.kind} {entry.step or ''}{who}: {entry.text}".replace("  ", " ")


@app.command()
def submit(
    context: typer.Context,
    number: _Number,
    step: _Step,
    keystore: KeystoreOption,
    password_file: PasswordOption,
    yes: Annotated[bool, typer.Option("--yes", help="Sign without asking.")] = False,
) -> None:
    """Submit the plan of a step: show its preview, sign exactly that, and propose it to the wallet's owners.

    A drill has no plans: its owners sign its steps with `paimon emergency sign`.
    """

    async def run(settings: Settings) -> None:
        async with opened_database(settings, process=_PROCESS) as database, database.write() as session:
            emergency = (await get_emergency(session, number)).emergency
            request: PlanRequest = plan_of(emergency, require_step(emergency, step))
        await submit_request(settings, request, keystore, password_file, confirm=not yes)

    with exit_on_error():
        asyncio.run(run(load_settings(context.obj)))


@app.command()
def decline(
    context: typer.Context,
    number: _Number,
    step: _Step,
    keystore: KeystoreOption,
    password_file: PasswordOption,
    reason: ReasonOption,
) -> None:
    """Decline a step: nothing waits for it any more."""
    _decide(
        context,
        keystore,
        password_file,
        reason,
        lambda session, _app, _signer: propose_decline(session, number, step),
        lambda app_context, request: decline_step(number, step, request, app_context.signing),
    )
    print(f"declined: {STEPS[step].meaning}")


@app.command("stand-down")
def stand_down(
    context: typer.Context, number: _Number, keystore: KeystoreOption, password_file: PasswordOption, reason: ReasonOption
) -> None:
    """End an emergency or a drill before it is over. What was paused or opened stays so."""
    _decide(
        context,
        keystore,
        password_file,
        reason,
        lambda session, _app, _signer: propose_stand_down(session, number),
        lambda app_context, request: stand_down_emergency(number, request, app_context.signing),
    )
    print(f"number {number} is stood down")


@app.command()
def drill(context: typer.Context, keystore: KeystoreOption, password_file: PasswordOption, reason: ReasonOption) -> None:
    """Start a drill: the same protocol on a simulated breach. People are alerted, and nothing is sent."""

    async def start(app_context: AppContext, request: SignedRequest) -> None:
        number = await start_drill(request, app_context.signing, app_context.emergency_context)
        print(f"drill {number} has started: `paimon emergency show {number}` follows it")

    _decide(
        context,
        keystore,
        password_file,
        reason,
        lambda session, app_context, _signer: propose_drill(session, app_context.emergency_context),
        start,
    )


@app.command()
def sign(
    context: typer.Context,
    number: _Number,
    step: _Step,
    keystore: KeystoreOption,
    password_file: PasswordOption,
    reason: ReasonOption,
) -> None:
    """Sign a step of a drill, as an owner of the cold Safe would. Nothing is sent."""
    _decide(
        context,
        keystore,
        password_file,
        reason,
        lambda session, app_context, signer: propose_drill_signature(
            session, number, step, signer.user, app_context.emergency_context
        ),
        lambda app_context, request: sign_drill_step(number, step, request, app_context.signing, app_context.emergency_context),
    )
    print(f"signed step {step} of drill {number}")
