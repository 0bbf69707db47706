"""`paimon desk plan …`: what a plan would need, handing it in with one's own signature, and how plans stand."""

import asyncio
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from paimon.application.common.signed_action import SignedAction
from paimon.application.transactions.plans.calls import PlanRequest, RequestedCall
from paimon.application.transactions.plans.preview import PlanPreview, preview_plan
from paimon.application.transactions.plans.queries import PlanDetail, PlanFilter, get_plan, list_plans
from paimon.application.transactions.plans.simulate import first_failure
from paimon.application.transactions.plans.submit import PlanSignature, submit_plan
from paimon.domain.kernel.chain import hex0x
from paimon.domain.transaction.wallet_selection import PlanWallet, format_whole_units
from paimon.gateway.cli.keystore_signing import (
    KeystoreOption,
    PasswordOption,
    ReasonOption,
    exit_on_use_case_error,
    load_signer,
)
from paimon.gateway.cli.process import exit_with_message
from paimon.gateway.cli.resources import opened_app_context
from paimon.gateway.cli.tx_lists import SHOWN_MAX, All, Ended, LogFilter
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
    with exit_on_use_case_error():
        wanted = PlanRequest(key, plan or key, tuple(map(_parse_call, calls)), reason)
        preview_result = asyncio.run(_preview(load_settings(context.obj), wanted))
    print("\n".join(_preview_lines(preview_result)))
    if not preview_result.simulated or first_failure(preview_result.simulated) is not None:
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
    with exit_on_use_case_error():
        wanted = PlanRequest(key, plan or key, tuple(map(_parse_call, calls)), reason)
        asyncio.run(_submit(load_settings(context.obj), wanted, keystore, password_file, confirm=not yes))


@app.command("list")
def list_plans_command(context: typer.Context, include_ended: All = False, ended: Ended = False) -> None:
    """Plans that have not ended; those that have, or all."""
    with exit_on_use_case_error():
        lines = asyncio.run(_list(load_settings(context.obj), LogFilter.of(include_ended=include_ended, ended=ended)))
    print("\n".join(lines))


@app.command()
def show(context: typer.Context, plan_id: Annotated[UUID, typer.Argument(metavar="ID")]) -> None:
    """One plan with its calls."""
    with exit_on_use_case_error():
        lines = asyncio.run(_show_plan(load_settings(context.obj), plan_id))
    print("\n".join(lines))


def _parse_call(text: str) -> RequestedCall:
    """`Contract.function name=value …`, as a shell would split it."""
    try:
        what, *given = shlex.split(text)
        contract, function = what.split(".", 1)
        arguments = dict(each.split("=", 1) for each in given)
    except ValueError:
        exit_with_message(f"{text!r} is no call: write 'Contract.function name=value …'")
    booleans = {"true": True, "false": False}
    return RequestedCall(contract, function, {name: booleans.get(value, value) for name, value in arguments.items()})


async def _preview(settings: Settings, wanted: PlanRequest) -> PlanPreview:
    async with opened_app_context(settings, process="desk") as app_context:
        return await preview_plan(wanted, app_context.plan_context)


def _preview_lines(preview: PlanPreview) -> Iterator[str]:
    choice, decimals = preview.choice, preview.valued.decimals
    plan_total = (
        f", with its earlier pieces {format_whole_units(choice.plan_amount, decimals)}"
        if choice.plan_amount > choice.amount
        else ""
    )
    at = preview.valued.at
    yield f"{choice.wallet or 'NO WALLET'}: counts for {format_whole_units(choice.amount, decimals)}{plan_total}, at block {at}"
    yield from (f"    not {each.describe(decimals)}" for each in choice.rejected_wallets)
    outcomes = [each.description for each in preview.simulated] or ["not simulated"] * len(preview.valued.calls)
    for call, end in zip(preview.valued.calls, outcomes, strict=True):
        yield f"  {call.step.description}: {end}"


async def _submit(settings: Settings, wanted: PlanRequest, keystore: Path, password_file: Path, *, confirm: bool) -> None:
    async with opened_app_context(settings, process="desk") as app_context:
        signer = await load_signer(app_context, keystore, password_file)
        preview_result = await preview_plan(wanted, app_context.plan_context)
        print("\n".join(_preview_lines(preview_result)))
        if preview_result.document is None or preview_result.choice.wallet is None:
            exit_with_message("no wallet may carry this out")
        if confirm:
            typer.confirm("Sign this and hand it in?", abort=True)
        consent = PlanSignature(
            user=signer.user,
            wallet=preview_result.choice.wallet,
            amount=preview_result.choice.amount,
            signed=SignedAction(preview_result.terms, await signer.sign(preview_result.document)),
        )
        plan = await submit_plan(wanted, consent, app_context.plan_context)
        async with app_context.database.write() as session:  # the primary: a replica may not have it yet
            print("\n".join(_lines(await get_plan(session, plan.id, app_context.safes))))


async def _list(settings: Settings, wanted: LogFilter) -> list[str]:
    async with opened_app_context(settings, process="desk") as app_context, app_context.database.read() as session:
        found = await list_plans(session, PageRequest(1, SHOWN_MAX), app_context.safes, PlanFilter(is_open=wanted.is_open))
    return [wanted.title(found.total), *(line for each in found.items for line in _lines(each))]


async def _show_plan(settings: Settings, plan_id: UUID) -> list[str]:
    async with opened_app_context(settings, process="desk") as app_context, app_context.database.read() as session:
        return list(_lines(await get_plan(session, plan_id, app_context.safes)))


def _lines(details: PlanDetail) -> Iterator[str]:
    row = details.row
    plan_part = f" of {row.name}" if row.name != row.idempotency_key else ""
    yield f"{row.id} {row.idempotency_key}{plan_part}: {details.status} by {row.wallet}, {row.reason}"
    yield from (f"    not {each}" for each in row.rejected_wallets)
    if row.wallet is not PlanWallet.HOT and row.proposal is not None:
        yield f"    proposal {hex0x(row.proposal)}"
    for call in row.calls:
        intent = f": {call.intent.status}, intent {call.intent.id}" if call.intent is not None else ""
        yield f"  {call.description}{intent}"
