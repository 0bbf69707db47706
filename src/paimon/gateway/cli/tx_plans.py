"""`paimon tx plan preview | submit | list | show`: preview a plan, submit it with the operator's signature, and show plans."""

import asyncio
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from paimon.application.transactions.plans.calls import PlanRequest, RequestedCall
from paimon.application.transactions.plans.preview import PlanPreview, preview_plan
from paimon.application.transactions.plans.queries import PlanDetail, PlanFilter, get_plan, list_plans
from paimon.application.transactions.plans.simulate import first_failure
from paimon.application.transactions.plans.submit import PlanSignature, submit_plan
from paimon.domain.kernel.chain import hex0x
from paimon.domain.transaction.wallet_selection import PlanWallet, format_whole_units
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.json_output import AsJson, print_json
from paimon.gateway.cli.keystore_signing import KeystoreOption, PasswordOption, ReasonOption, load_signer
from paimon.gateway.cli.lists import listing_json
from paimon.gateway.cli.process import exit_on_error, exit_with_message
from paimon.gateway.cli.resources import opened_app_context
from paimon.gateway.cli.text import NEWEST_SHOWN, NewestLimit
from paimon.gateway.cli.tx_lists import All, Ended, ListFilter
from paimon.gateway.rest.envelope import Listing
from paimon.gateway.rest.views.plans import PlanView
from paimon.infrastructure.database.paging import Page, PageRequest
from paimon.settings import Settings, load_settings

app = CommandApp(help="Preview and submit plans; show them.", no_args_is_help=True)

_Key = Annotated[
    str, typer.Option(help="The idempotency key: what the plan is for. A second plan with other calls is refused.")
]
_Plan = Annotated[
    str | None,
    typer.Option("--plan", help="The whole plan's name, if this is a part of it.", show_default="the key"),
]
_Calls = Annotated[
    list[str],
    typer.Option(
        "--call",
        metavar="CALL",
        help="'AssetController.purchaseAsset token=0x… usdtAmount=5000000000000000000000'; may be given several times.",
    ),
]
_Yes = Annotated[bool, typer.Option("--yes", help="Sign without asking.")]


@app.command()
def preview(context: typer.Context, key: _Key, calls: _Calls, reason: ReasonOption, plan: _Plan = None) -> None:
    """Show which wallet would send a plan and what its calls would do. Write nothing.

    Exit with 1 when no wallet may send it, or when a call would fail.
    """
    with exit_on_error():
        requested_plan = PlanRequest(key, plan or key, tuple(map(_parse_call, calls)), reason)
        preview_result = asyncio.run(_preview(load_settings(context.obj), requested_plan))
    print("\n".join(preview_lines(preview_result)))
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
    yes: _Yes = False,
) -> None:
    """Submit a plan: show its preview, sign exactly that, and queue it."""
    with exit_on_error():
        requested_plan = PlanRequest(key, plan or key, tuple(map(_parse_call, calls)), reason)
        asyncio.run(submit_request(load_settings(context.obj), requested_plan, keystore, password_file, confirm=not yes))


@app.command("list")
def list_plans_command(
    context: typer.Context,
    include_ended: All = False,
    only_ended: Ended = False,
    limit: NewestLimit = NEWEST_SHOWN,
    as_json: AsJson = False,
) -> None:
    """List the open plans; `--ended` or `--all` lists others."""
    with exit_on_error():
        list_filter = ListFilter.of(include_ended=include_ended, only_ended=only_ended)
        plans = asyncio.run(_list(load_settings(context.obj), list_filter, limit=limit))
    if as_json:
        print_json(listing_json(Listing[PlanView].page(plans.mapped(PlanView.of))))
        return
    print(list_filter.title(plans.total, limit=limit))
    for plan in plans.items:
        print("\n".join(_lines(plan)))


@app.command()
def show(context: typer.Context, plan_id: Annotated[UUID, typer.Argument(metavar="ID", help="The plan's id.")]) -> None:
    """Show one plan with its calls."""
    with exit_on_error():
        lines = asyncio.run(_show_plan(load_settings(context.obj), plan_id))
    print("\n".join(lines))


def _parse_call(text: str) -> RequestedCall:
    """Parse `Contract.function name=value …`, split as a shell would split it."""
    try:
        name, *pairs = shlex.split(text)
        contract, function = name.split(".", 1)
        arguments = dict(pair.split("=", 1) for pair in pairs)
    except ValueError:
        exit_with_message(f"{text!r} is not a call: write 'Contract.function name=value …'")
    booleans = {"true": True, "false": False}
    return RequestedCall(contract, function, {name: booleans.get(value, value) for name, value in arguments.items()})


async def _preview(settings: Settings, requested_plan: PlanRequest) -> PlanPreview:
    async with opened_app_context(settings, process="tx") as app_context:
        return await preview_plan(requested_plan, app_context.plan_context)


def preview_lines(preview: PlanPreview) -> Iterator[str]:
    choice, decimals = preview.choice, preview.valued.decimals
    plan_total = (
        f", with its earlier parts {format_whole_units(choice.plan_amount, decimals)}"
        if choice.plan_amount > choice.amount
        else ""
    )
    at = preview.valued.at
    yield f"{choice.wallet or 'NO WALLET'}: counts for {format_whole_units(choice.amount, decimals)}{plan_total}, at block {at}"
    yield from (f"    not {rejected.describe(decimals)}" for rejected in choice.rejected_wallets)
    if (required := preview.requirement) is not None:
        rules = "; ".join(f"{rule.name}: {rule.approvals}" for rule in required.rules)
        yield f"    needs a ticket {required.type} ({rules})"
    outcomes = [outcome.description for outcome in preview.simulated] or ["not simulated"] * len(preview.valued.calls)
    for call, outcome in zip(preview.valued.calls, outcomes, strict=True):
        yield f"  {call.step.description}: {outcome}"


async def submit_request(
    settings: Settings, requested_plan: PlanRequest, keystore: Path, password_file: Path, *, confirm: bool
) -> None:
    async with opened_app_context(settings, process="tx") as app_context:
        signer = await load_signer(app_context, keystore, password_file)
        preview_result = await preview_plan(requested_plan, app_context.plan_context)
        print("\n".join(preview_lines(preview_result)))
        if preview_result.document is None or preview_result.choice.wallet is None:
            exit_with_message("no wallet may send this plan")
        if confirm:
            typer.confirm("Sign and submit this plan?", abort=True)
        consent = PlanSignature(
            user=signer.user,
            wallet=preview_result.choice.wallet,
            amount=preview_result.choice.amount,
            signed=await signer.sign(preview_result.document, preview_result.terms),
        )
        plan = await submit_plan(requested_plan, consent, app_context.plan_context)
        async with app_context.database.write() as session:  # the primary: a replica may not have the plan yet
            print("\n".join(_lines(await get_plan(session, plan.id, app_context.safe_context))))


async def _list(settings: Settings, list_filter: ListFilter, *, limit: int) -> Page[PlanDetail]:
    async with opened_app_context(settings, process="tx") as app_context, app_context.database.read() as session:
        filters = PlanFilter(is_open=list_filter.is_open)
        return await list_plans(session, PageRequest(1, limit), app_context.safe_context, filters)


async def _show_plan(settings: Settings, plan_id: UUID) -> list[str]:
    async with opened_app_context(settings, process="tx") as app_context, app_context.database.read() as session:
        return list(_lines(await get_plan(session, plan_id, app_context.safe_context)))


def _lines(plan: PlanDetail) -> Iterator[str]:
    part_of = f" of {plan.name}" if plan.name != plan.idempotency_key else ""
    yield f"{plan.id} {plan.idempotency_key}{part_of}: {plan.status} by {plan.wallet}, {plan.reason}"
    yield from (f"    not {rejected}" for rejected in plan.rejected_wallets)
    if plan.wallet is not PlanWallet.HOT and plan.proposal is not None:
        yield f"    proposal {hex0x(plan.proposal)}"
    for call in plan.calls:
        intent = f": {call.intent.status}, intent {call.intent.id}" if call.intent is not None else ""
        yield f"  {call.description}{intent}"
