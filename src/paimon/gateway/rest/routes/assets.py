"""Endpoints of asset profiles: what people know of an asset, with its history. Figures of assets are at /fund/assets."""

from typing import Annotated

from fastapi import APIRouter, Path

from paimon.application.assets.set_profile import SetProfile, propose_profile, set_profile
from paimon.application.assets.store import list_history, list_profiles, require_asset
from paimon.application.identity.accept_action import SignedRequest
from paimon.gateway.rest.dependencies import ContextDep, FundAdministrator, SignedInUser
from paimon.gateway.rest.envelope import Envelope
from paimon.gateway.rest.openapi import documented_responses
from paimon.gateway.rest.schema import AddressText
from paimon.gateway.rest.views.assets import (
    AssetHistoryView,
    AssetProfileBody,
    AssetProfileView,
    ProfiledAssetsView,
    SignedAssetProfileBody,
)
from paimon.gateway.rest.views.signed_action import ActionDocumentView
from paimon.infrastructure.database.clock import database_now

router = APIRouter(prefix="/assets", tags=["assets"])

_Token = Annotated[AddressText, Path(description="the asset's token")]


@router.get(
    "",
    operation_id="listAssetProfiles",
    summary="List the assets with their profiles",
    responses=documented_responses("asset_profiles", 401, 403, 503),
)
async def index(_user: SignedInUser, context: ContextDep) -> Envelope[ProfiledAssetsView]:
    async with context.database.read() as session:
        profiles = await list_profiles(session, context.signing_rules.scope)
    return Envelope[ProfiledAssetsView](data=ProfiledAssetsView.of(profiles))


@router.get(
    "/{token}",
    operation_id="listAssetProfileVersions",
    summary="List the versions of an asset's profile",
    responses=documented_responses("asset_history", 400, 401, 403, 404, 503),
)
async def history(token: _Token, _user: SignedInUser, context: ContextDep) -> Envelope[AssetHistoryView]:
    async with context.database.read() as session:
        await require_asset(session, token)
        versions = await list_history(session, token, context.signing_rules.scope)
    return Envelope[AssetHistoryView](data=AssetHistoryView.of(token, versions))


@router.post(
    "/{token}/preview",
    operation_id="previewAssetProfile",
    summary="Get the document to sign for an asset's profile",
    responses=documented_responses("asset_profile_document", 400, 401, 403, 404, 409, 413, 415, 503),
)
async def preview(
    token: _Token, body: AssetProfileBody, _user: FundAdministrator, context: ContextDep
) -> Envelope[ActionDocumentView]:
    """Nothing changes yet. Send the same to `submitTo`, with the signature, `message.nonce` and `message.expiresAt`."""
    rules = context.signing_rules
    async with context.database.write() as session:  # the primary: a replica may lack the version before
        proposed = await propose_profile(session, token, body.profile, rules.scope)
        terms = rules.new_terms(await database_now(session))
    if proposed.rejection is not None:
        raise proposed.rejection
    content = proposed.content
    return Envelope[ActionDocumentView](
        data=ActionDocumentView(
            statement=content.statement,
            typed_data=content.document(body.reason, terms, rules.scope),
            expires_at=terms.expires_at,
            submit_to=content.resource,
        )
    )


@router.post(
    "/{token}",
    operation_id="setAssetProfile",
    summary="Set an asset's profile",
    responses=documented_responses("asset_profile", 400, 401, 403, 404, 409, 413, 415, 503),
)
async def set_(
    token: _Token, body: SignedAssetProfileBody, user: FundAdministrator, context: ContextDep
) -> Envelope[AssetProfileView]:
    """Risk, promises, stress tests and rebalancing use it from their next run on. 409 when another person set one since."""
    command = SetProfile(token, body.profile, SignedRequest(user, body.reason, body.signed))
    return Envelope[AssetProfileView](data=AssetProfileView.of(await set_profile(command, context.signing)))
