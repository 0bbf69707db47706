"""`paimon users`: name the first super_admin, change users by grants that a super_admin signs, and erase personal data."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from paimon.application.identity.erase_person import erase_person, propose_erasure
from paimon.application.identity.signed_users import list_users
from paimon.application.identity.store import find_chain_head, insert_first_super_admin
from paimon.application.identity.subject_key_store import rewrap_keys
from paimon.application.identity.submit_grant import SubmitGrant, UserChange, propose_grant, submit_grant
from paimon.composition import signing_rules
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.user.roles import Permission, User, UserRole
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.json_output import AsJson, json_of, print_json
from paimon.gateway.cli.keystore_signing import (
    KeystoreOption,
    PasswordOption,
    ReasonOption,
    open_keystore,
    sign_action,
    sign_document,
)
from paimon.gateway.cli.process import address_argument, exit_on_error, exit_with_message
from paimon.gateway.cli.resources import opened_app_context, opened_database, opened_owner_engine
from paimon.gateway.rest.views.accounts import UserView
from paimon.infrastructure.database.sessions import Database
from paimon.settings import Settings, load_settings

app = CommandApp(
    help="Name the first super_admin, change users by signed grants, and erase personal data.", no_args_is_help=True
)

_Address = Annotated[str, typer.Argument(help="The wallet the user signs in with.")]
_Name = Annotated[str, typer.Option(help="The name to show.")]


@app.command()
def init(
    context: typer.Context,
    address: Annotated[str, typer.Argument(help="The wallet of the first super_admin.")],
    name: _Name = "",
    replace: Annotated[
        bool, typer.Option("--replace", help="Name another than before: every grant of the chain before ends.")
    ] = False,
) -> None:
    """Name the first super_admin, as the owner of the tables. Every other user has a grant in the chain that begins here."""
    wallet = address_argument(address)
    with exit_on_error():
        asyncio.run(_init(load_settings(context.obj), User(wallet, UserRole.SUPER_ADMIN, name), replace=replace))
    print(f"{checksum(wallet)} is the first super_admin")


@app.command()
def add(
    context: typer.Context,
    address: _Address,
    role: Annotated[UserRole, typer.Argument(help="What the user may do.")],
    keystore: KeystoreOption,
    password_file: PasswordOption,
    name: _Name = "",
    granted: Annotated[
        list[Permission] | None, typer.Option("--grant", help="A right besides those of the role; may be repeated.")
    ] = None,
    denied: Annotated[
        list[Permission] | None, typer.Option("--deny", help="A right that the person lacks in any role; may be repeated.")
    ] = None,
) -> None:
    """Add a user, or change the role and name of an existing one. You sign it with your own key, as a super_admin."""
    wallet = address_argument(address)
    change = UserChange(wallet, role, name, frozenset(granted or ()), frozenset(denied or ()))
    with exit_on_error():
        asyncio.run(_grant(load_settings(context.obj), change, keystore, password_file))
    print(f"{checksum(wallet)} may sign in as {role}")


@app.command()
def remove(context: typer.Context, address: _Address, keystore: KeystoreOption, password_file: PasswordOption) -> None:
    """Remove a user. You sign it with your own key, as a super_admin."""
    wallet = address_argument(address)
    with exit_on_error():
        asyncio.run(_grant(load_settings(context.obj), UserChange(wallet, None, ""), keystore, password_file))
    print(f"{checksum(wallet)} may no longer sign in")


@app.command()
def erase(
    context: typer.Context,
    address: Annotated[str, typer.Argument(help="The wallet of a person who is no user any more.")],
    keystore: KeystoreOption,
    password_file: PasswordOption,
    reason: ReasonOption,
    yes: Annotated[bool, typer.Option("--yes", help="Erase without asking.")] = False,
) -> None:
    """Erase the personal data of a former user. You sign it with your own key, as a super_admin. It cannot be undone."""
    wallet = address_argument(address)
    if not yes:
        typer.confirm(f"Erase the personal data of {checksum(wallet)} for good?", abort=True)
    with exit_on_error():
        asyncio.run(_erase(load_settings(context.obj), wallet, reason, keystore, password_file))
    print(f"the personal data of {checksum(wallet)} is erased")


@app.command()
def rewrap(context: typer.Context) -> None:
    """Wrap the keys of personal data with the current secret, after `PAIMON_AUTH__PERSONAL_DATA_SECRET` has changed."""
    with exit_on_error():
        rewrapped = asyncio.run(_rewrap(load_settings(context.obj)))
    print(f"{rewrapped} keys of personal data are wrapped with the current secret now; every other one was already")


@app.command("list")
def list_command(context: typer.Context, as_json: AsJson = False) -> None:
    """List every user who may sign in."""
    with exit_on_error():
        users = asyncio.run(_list(load_settings(context.obj)))
    if as_json:
        print_json({"items": [json_of(UserView.of(user)) for user in users]})
    elif not users:
        print("no users yet: `paimon users init` names the first")
    else:
        for user in users:
            print(f"{checksum(user.address)}  {user.role:<12} {user.name}{_exceptions(user)}")


def _exceptions(user: User) -> str:
    """Return what a grant gave (+) and took (−) besides the role, for people."""
    signs = ((f"{sign}{name}") for sign, names in (("+", user.granted), ("-", user.denied)) for name in sorted(names))
    return "".join(f"  {text}" for text in signs)


async def _init(settings: Settings, user: User, *, replace: bool) -> None:
    async with opened_owner_engine(settings, process="users init") as engine, Database(engine).write() as session:
        first = (await find_chain_head(session)).first
        if first is not None and not replace:
            exit_with_message(
                f"{checksum(first.address)} is the first super_admin: with --replace another is named, and every user needs a"
                " new grant"
            )
        await insert_first_super_admin(session, user)


async def _grant(settings: Settings, change: UserChange, keystore: Path, password_file: Path) -> None:
    key, rules = open_keystore(keystore, password_file), signing_rules(settings)
    async with opened_database(settings, process="users") as database:
        grant = await propose_grant(change, database=database, rules=rules)
        signed = await sign_document(key, grant.document(rules.scope), grant.terms)
        await submit_grant(SubmitGrant(change, key.address, signed), database=database, rules=rules)


async def _erase(settings: Settings, wallet: Address, reason: str, keystore: Path, password_file: Path) -> None:
    async with opened_app_context(settings, process="users") as app_context:
        async with app_context.database.read() as session:
            proposed = await propose_erasure(session, wallet, app_context.signing_rules.scope)
        request = await sign_action(app_context, proposed, keystore=keystore, password_file=password_file, reason=reason)
        await erase_person(wallet, request, app_context.signing)


async def _rewrap(settings: Settings) -> int:
    async with opened_database(settings, process="users") as database:
        return await rewrap_keys(database, settings.auth)


async def _list(settings: Settings) -> Sequence[User]:
    async with opened_database(settings, process="users") as database, database.read() as session:
        return await list_users(session, signing_rules(settings).scope)
