"""`paimon desk plan …`: what a plan would need, handing it in with one's own signature, and how plans stand."""

import asyncio
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from paimon.application.transactions.plans.calls import AskedCall, WantedPlan
from paimon.application.transactions.plans.preview import Preview, preview_plan
from paimon.application.transactions.plans.queries import PlanFile, PlanFilter, get_plan, list_plans
from paimon.application.transactions.plans.simulate import first_failure
from paimon.application.transactions.plans.submit import Consent, submit_plan
from paimon.domain.kernel.chain import Hash32, hex0x
from paimon.domain.transaction.wallet_selection import PlanWallet, grouped
from paimon.gateway.cli.keystore_signing import KeystoreOption, PasswordOption, ReasonOption, person_of, told
from paimon.gateway.cli.process import refuse
from paimon.gateway.cli.resources import opened_house
from paimon.gateway.cli.tx_lists import SHOWN_MAX, All, Ended, Wanted
from paimon.infrastructure.database.paging import PageRequest
from paimon.settings import Settings, load_settings

app = typer.Typer(help="Plans: what one would need, and handing it in.", no_args_is_help=True)

_Key = Annotated[str, typer.Option(help="What it is for, once: the same key with other calls is refused.")]
_Plan = Annotated[str | None, typer.Option("--plan", help="The plan's name, if this is a piece of it.", show_default="the key")]
_Calls = Annotated[
    list[str],
    typer.Option(
        "--call", help="'AssetController.purchaseAsset token=0x… usdtAmount=5000000000000000000000'; may be repeated."
    ),
]


@app.command()
def preview(context: typer.Context, key: _Key, calls: _Calls, reason: ReasonOption, plan: _Plan = None) -> None:
    """What would this need? Nothing is written; exit with 1 when no wallet may, or the first call would not do."""
    with told():
        wanted = WantedPlan(key, plan or key, tuple(map(_call, calls)), reason)
        shown = asyncio.run(_preview(load_settings(context.obj), wanted))
    print("\n".join(_needs(shown)))
    if not shown.simulated or first_failure(shown.simulated) is not None:
        raise typer.Exit(1)


@app.command()
def submit(
    context: typer.Context,
    key: _Key,
    calls: _Calls,
    reason: ReasonOption,
    keystore: KeystoreOption,
    password_file: PasswordOption,
    plan: _Plan = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Hand a plan in: show what it needs, sign exactly that, and set it out."""
    with told():
        wanted = WantedPlan(key, plan or key, tuple(map(_call, calls)), reason)
        asyncio.run(_submit(load_settings(context.obj), wanted, keystore, password_file, ask=not yes))


@app.command("list")
def list_plans_now(context: typer.Context, every: All = False, ended: Ended = False) -> None:
    """Plans that have not ended; those that have, or all."""
    with told():
        lines = asyncio.run(_list(load_settings(context.obj), Wanted.of(every=every, ended=ended)))
    print("\n".join(lines))


@app.command()
def show(context: typer.Context, plan_id: Annotated[UUID, typer.Argument(metavar="ID")]) -> None:
    """One plan with its calls."""
    with told():
        lines = asyncio.run(_one(load_settings(context.obj), plan_id))
    print("\n".join(lines))


def _call(text: str) -> AskedCall:
    """`Contract.function name=value …`, as a shell would split it."""
    try:
        what, *given = shlex.split(text)
        contract, function = what.split(".", 1)
        arguments = dict(each.split("=", 1) for each in given)
    except ValueError:
        refuse(f"{text!r} is no call: write 'Contract.function name=value …'")
    booleans = {"true": True, "false": False}
    return AskedCall(contract, function, {name: booleans.get(value, value) for name, value in arguments.items()})


async def _preview(settings: Settings, wanted: WantedPlan) -> Preview:
    async with opened_house(settings, process="desk") as house:
        return await preview_plan(wanted, house.plans)


def _needs(preview: Preview) -> Iterator[str]:
    choice, decimals = preview.choice, preview.valued.decimals
    whole = f", with its earlier pieces {grouped(choice.plan_amount, decimals)}" if choice.plan_amount > choice.amount else ""
    at = preview.valued.at
    yield f"{choice.wallet or 'NO WALLET'}: counts for {grouped(choice.amount, decimals)}{whole}, at block {at}"
    yield from (f"    not {each.words(decimals)}" for each in choice.passed_over)
    ends = [each.words for each in preview.simulated] or ["not simulated"] * len(preview.valued.calls)
    for call, end in zip(preview.valued.calls, ends, strict=True):
        yield f"  {call.step.words}: {end}"


async def _submit(settings: Settings, wanted: WantedPlan, keystore: Path, password_file: Path, *, ask: bool) -> None:
    async with opened_house(settings, process="desk") as house:
        person = await person_of(house, keystore, password_file)
        shown = await preview_plan(wanted, house.plans)
        print("\n".join(_needs(shown)))
        if shown.document is None or shown.choice.wallet is None:
            refuse("no wallet may carry this out")
        if ask:
            typer.confirm("Sign this and hand it in?", abort=True)
        consent = Consent(
            user=person.user,
            wallet=shown.choice.wallet,
            amount=shown.choice.amount,
            nonce=Hash32(bytes.fromhex(shown.document["message"]["nonce"][2:])),
            expires_at=shown.expires_at,
            signature=await person.sign(shown.document),
        )
        plan = await submit_plan(wanted, consent, house.plans)
        async with house.database.write() as session:  # the primary: a replica may not have it yet
            print("\n".join(_lines(await get_plan(session, plan.id, house.safes))))


async def _list(settings: Settings, wanted: Wanted) -> list[str]:
    async with opened_house(settings, process="desk") as house, house.database.read() as session:
        found = await list_plans(session, PageRequest(1, SHOWN_MAX), house.safes, PlanFilter(is_open=wanted.is_open))
    return [wanted.title(found.total), *(line for each in found.items for line in _lines(each))]


async def _one(settings: Settings, plan_id: UUID) -> list[str]:
    async with opened_house(settings, process="desk") as house, house.database.read() as session:
        return list(_lines(await get_plan(session, plan_id, house.safes)))


def _lines(file: PlanFile) -> Iterator[str]:
    row = file.row
    piece = f" of {row.name}" if row.name != row.idempotency_key else ""
    yield f"{row.id} {row.idempotency_key}{piece}: {file.state} by {row.wallet}, {row.reason}"
    yield from (f"    not {each}" for each in row.passed_over)
    if row.wallet is not PlanWallet.HOT and row.proposal is not None:
        yield f"    proposal {hex0x(row.proposal)}"
    for call in row.calls:
        intent = f": {call.intent.status}, intent {call.intent.id}" if call.intent is not None else ""
        yield f"  {call.words}{intent}"
