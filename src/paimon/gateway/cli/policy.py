"""`paimon policy`: show the approval policy, check a file, try an operation, publish a draft."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from paimon.application.approval_policy.bounds import policy_bounds
from paimon.application.approval_policy.publications import PublishedPolicy, find_current, get_version
from paimon.application.approval_policy.publish import propose_publication, publish_policy
from paimon.composition import signing_rules
from paimon.domain.approval.policy import NONE, ApprovalPolicy, Initiator, Operation, OperationKind
from paimon.domain.approval.policy_check import check_policy
from paimon.domain.approval.policy_document import InvalidPolicy, parse_policy
from paimon.domain.kernel.chain import checksum
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.json_output import AsJson, json_of, print_json
from paimon.gateway.cli.keystore_signing import KeystoreOption, PasswordOption, ReasonOption, load_signer, sign_action
from paimon.gateway.cli.lists import minute
from paimon.gateway.cli.process import exit_on_error, exit_with_message
from paimon.gateway.cli.resources import opened_app_context, opened_database
from paimon.gateway.cli.text import pluralize
from paimon.gateway.rest.views.policy import PolicyDryRunView, PolicyView, explain
from paimon.settings import Settings, load_settings

app = CommandApp(help="Show the approval policy, check a file, try an operation, publish a draft.", no_args_is_help=True)

_File = Annotated[Path, typer.Argument(metavar="FILE", help="A policy as `paimon policy show --json` prints it.")]


@app.command()
def show(
    context: typer.Context,
    version: Annotated[int | None, typer.Option(min=1, help="This version; the one in force unless given.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the rules in their order. The first that matches decides; what none matches is blocked."""
    with exit_on_error():
        published = asyncio.run(_read(load_settings(context.obj), version))
    if as_json:
        print_json(json_of(PolicyView.of(published)))
    else:
        print("\n".join(_lines(published)))


@app.command()
def check(context: typer.Context, file: _File) -> None:
    """Check a file for gaps and conflicts. Nothing is changed; exit code 2 means that it has faults."""
    with exit_on_error():
        settings, policy = load_settings(context.obj), _load(file)
        findings = check_policy(policy, policy_bounds(settings))
        if findings:
            exit_with_message("\n".join(f"{finding.fault}: {finding.message}" for finding in findings))
    print(f"{pluralize(len(policy.rules), 'rule')}: no gap, no conflict, every rule can be reached")


@app.command("dry-run")
def dry_run(
    context: typer.Context,
    kind: Annotated[OperationKind, typer.Argument(case_sensitive=False, help="What the operation is part of.")],
    method: Annotated[str, typer.Argument(help="The contract and its function, such as Vault.pause.")],
    amount: Annotated[str, typer.Option(help="What the whole plan moves, in whole units of the vault's asset.")] = "0",
    amount_24h: Annotated[
        str | None, typer.Option("--amount-24h", help="What the source moves in 24 hours, with this.")
    ] = None,
    initiator: Annotated[Initiator, typer.Option(help="Who wants it.")] = Initiator.OPERATOR,
    source: Annotated[str, typer.Option(help="The wallet: hot, warm, cold or approver.")] = "hot",
    asset: Annotated[str, typer.Option(help="The token's address.")] = NONE,
    destination: Annotated[str, typer.Option(help="The address that receives something.")] = NONE,
    file: Annotated[Path | None, typer.Option(help="By this file, not by the policy in force.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Show which rule would decide an operation, and why the rules before it do not. Nothing is changed."""
    with exit_on_error():
        contract, _, function = method.partition(".")
        if not function:
            exit_with_message(f"{method!r} names no function: give the contract and the function, such as Vault.pause")
        operation = Operation(
            kind=kind,
            initiator=initiator,
            source=source,
            contract=contract,
            method=function,
            amount=_amount(amount, "--amount"),
            amount_24h=_amount(amount if amount_24h is None else amount_24h, "--amount-24h"),
            asset=asset,
            destination=destination,
        )
        policy = _load(file) if file is not None else asyncio.run(_read(load_settings(context.obj), None)).policy
    result = PolicyDryRunView.of(policy, operation)
    if as_json:
        print_json(json_of(result))
        return
    print(f"{result.verdict}: {result.explanation} (policy {result.version})")
    for trace in result.not_matched:
        print(f"    not {trace.rule}: its {trace.mismatch.replace('_', ' ')} do not match")


@app.command()
def publish(
    context: typer.Context,
    draft: Annotated[int, typer.Argument(min=1, help="The draft's number.")],
    keystore: KeystoreOption,
    password_file: PasswordOption,
    reason: ReasonOption,
) -> None:
    """Publish a draft that another administrator wrote. You sign it with your own key."""
    with exit_on_error():
        published = asyncio.run(_publish(load_settings(context.obj), draft, keystore, password_file, reason))
    print(f"version {published.policy.version} of the approval policy is in force")


async def _read(settings: Settings, version: int | None) -> PublishedPolicy:
    scope = signing_rules(settings).scope
    async with opened_database(settings, process="policy") as database, database.read() as session:
        return await find_current(session, scope) if version is None else await get_version(session, version, scope)


async def _publish(settings: Settings, draft_id: int, keystore: Path, password_file: Path, reason: str) -> PublishedPolicy:
    bounds = policy_bounds(settings)
    async with opened_app_context(settings, process="policy") as app_context:
        signer = await load_signer(app_context, keystore, password_file)
        async with app_context.database.read() as session:
            _, proposed = await propose_publication(
                session,
                draft_id,
                signer.user.address,
                bounds,
                scope=app_context.signing_rules.scope,
            )
        request = await sign_action(app_context, proposed, keystore=keystore, password_file=password_file, reason=reason)
        return await publish_policy(draft_id, request, app_context.signing, bounds)


def _load(file: Path) -> ApprovalPolicy:
    try:
        document: Any = orjson.loads(file.read_bytes())
    except OSError as error:
        exit_with_message(f"{file} cannot be read: {error.strerror}")
    except orjson.JSONDecodeError as error:
        exit_with_message(f"{file} is no JSON: {error}")
    version = document.get("version", 1) if isinstance(document, dict) else 1
    rules = {"rules": document["rules"]} if isinstance(document, dict) and "rules" in document else document
    try:
        return parse_policy(rules, version=version if isinstance(version, int) else 1)
    except InvalidPolicy as error:
        exit_with_message(f"{file}: {error}")


def _amount(text: str, option: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        exit_with_message(f"{option} is {text!r}: an amount is a number, such as 50000")
    return amount


def _lines(published: PublishedPolicy) -> Iterator[str]:
    by = "" if published.published_by is None else f" by {checksum(published.published_by)}"
    yield f"version {published.policy.version}, published {minute(published.published_at)} UTC{by}: {published.reason}"
    for number, rule in enumerate(published.policy.rules, 1):
        yield f"{number:>3}  {explain(rule)}"
        yield f"       when {rule.match}"
