"""`paimon assets`: list the profiles of assets, show the history of one, and set one."""

import asyncio
from pathlib import Path
from typing import Annotated, Final

import typer

from paimon.application.assets.set_profile import SetProfile, propose_profile, set_profile
from paimon.application.assets.store import list_history, list_profiles, require_asset
from paimon.composition import signing_rules
from paimon.domain.asset.profile import COST_BPS_MAX, DAYS_TO_CASH_MAX, AssetProfile, Liquidity
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.kernel.units import Bps
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.json_output import AsJson, json_of, print_json
from paimon.gateway.cli.keystore_signing import KeystoreOption, PasswordOption, ReasonOption, sign_action
from paimon.gateway.cli.lists import Column, Table
from paimon.gateway.cli.process import address_argument, exit_on_error
from paimon.gateway.cli.resources import opened_app_context, opened_database
from paimon.gateway.rest.views.assets import AssetHistoryView, AssetProfileView, ProfiledAssetsView, ProfiledAssetView
from paimon.settings import Settings, load_settings

app = CommandApp(help="List the profiles of assets, show the history of one, and set one.", no_args_is_help=True)

_PROCESS: Final = "assets"
_TokenArgument = Annotated[str, typer.Argument(help="The asset's token.")]


def _counterparty(asset: ProfiledAssetView) -> str:
    return "(default of its tier)" if asset.profile is None else asset.profile.counterparty


_ASSETS: Final[Table[ProfiledAssetView]] = Table(
    "assets",
    (
        Column("TOKEN", lambda asset: checksum(Address(asset.token))),
        Column("DAYS", lambda asset: "-" if asset.profile is None else asset.profile.days_to_cash),
        Column("COST BPS", lambda asset: "-" if asset.profile is None else asset.profile.cost_bps),
        Column("COUNTERPARTY", _counterparty),
    ),
)
_VERSIONS: Final[Table[AssetProfileView]] = Table(
    "profiles",
    (
        Column("VERSION", lambda profile: profile.version),
        Column("SET AT", lambda profile: f"{profile.changed_at:%Y-%m-%d %H:%M}"),
        Column("BY", lambda profile: checksum(Address(profile.changed_by))),
        Column("DAYS", lambda profile: profile.days_to_cash),
        Column("COST BPS", lambda profile: profile.cost_bps),
        Column("COUNTERPARTY", lambda profile: profile.counterparty),
        Column("REASON", lambda profile: profile.reason),
    ),
)


@app.command("list")
def list_command(context: typer.Context, as_json: AsJson = False) -> None:
    """List every asset that the fund ever had, with its profile."""
    with exit_on_error():
        found = asyncio.run(_list(load_settings(context.obj)))
    if as_json:
        print_json(json_of(found))
    else:
        print("\n".join(_ASSETS.lines(found.items)) if found.items else "no assets yet")


@app.command()
def history(context: typer.Context, token: _TokenArgument, as_json: AsJson = False) -> None:
    """List the versions of an asset's profile, latest first. Times are in UTC."""
    asset = address_argument(token)
    with exit_on_error():
        found = asyncio.run(_history(load_settings(context.obj), asset))
    if as_json:
        print_json(json_of(found))
    else:
        print("\n".join(_VERSIONS.lines(found.profiles)) if found.profiles else "no profile yet: the default of its tier holds")


@app.command("set")
def set_command(
    context: typer.Context,
    token: _TokenArgument,
    keystore: KeystoreOption,
    password_file: PasswordOption,
    reason: ReasonOption,
    counterparty: Annotated[str, typer.Option(help="Who owes it. Assets of one counterparty count together.")],
    days: Annotated[int, typer.Option(min=0, max=DAYS_TO_CASH_MAX, help="Calendar days until it is cash.")],
    cost_bps: Annotated[int, typer.Option(min=0, max=COST_BPS_MAX, help="Basis points of its value that this costs.")],
) -> None:
    """Set an asset's profile. You sign it with your own key, as an administrator."""
    asset, profile = address_argument(token), AssetProfile(counterparty, Liquidity(days, Bps(cost_bps)))
    with exit_on_error():
        version = asyncio.run(_set(load_settings(context.obj), asset, profile, reason, keystore, password_file))
    print(f"profile {version} of asset {checksum(asset)} is set")


async def _list(settings: Settings) -> ProfiledAssetsView:
    async with opened_database(settings, process=_PROCESS) as database, database.read() as session:
        return ProfiledAssetsView.of(await list_profiles(session, signing_rules(settings).scope))


async def _history(settings: Settings, token: Address) -> AssetHistoryView:
    async with opened_database(settings, process=_PROCESS) as database, database.read() as session:
        await require_asset(session, token)
        return AssetHistoryView.of(token, await list_history(session, token, signing_rules(settings).scope))


async def _set(
    settings: Settings, token: Address, profile: AssetProfile, reason: str, keystore: Path, password_file: Path
) -> int:
    async with opened_app_context(settings, process=_PROCESS) as app_context:
        async with app_context.database.write() as session:
            proposed = await propose_profile(session, token, profile, app_context.signing_rules.scope)
        request = await sign_action(app_context, proposed, keystore=keystore, password_file=password_file, reason=reason)
        return (await set_profile(SetProfile(token, profile, request), app_context.signing)).version
