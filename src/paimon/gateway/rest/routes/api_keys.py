"""Endpoints of API keys: what programs do in the name of the person who made the key."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path

from paimon.application.identity.api_keys import create_key, list_keys, revoke_key
from paimon.gateway.rest.dependencies import CallerDep, ContextDep
from paimon.gateway.rest.envelope import Envelope
from paimon.gateway.rest.openapi import documented_responses
from paimon.gateway.rest.views.api_keys import (
    ApiKeyRevokedView,
    ApiKeysView,
    ApiKeyView,
    CreatedApiKeyView,
    NewApiKeyBody,
)

router = APIRouter(prefix="/api-keys", tags=["api keys"])


@router.post(
    "",
    operation_id="createApiKey",
    summary="Make an API key",
    responses=documented_responses("api_key_created", 400, 401, 403, 413, 415, 503),
)
async def create(body: NewApiKeyBody, caller: CallerDep, context: ContextDep) -> Envelope[CreatedApiKeyView]:
    """The key is shown once. It may do what is on its list and what its maker may do at that moment, and it signs nothing."""
    key, text = await create_key(body.wanted(), caller.user, database=context.database)
    return Envelope[CreatedApiKeyView](
        data=CreatedApiKeyView(key=text, details=ApiKeyView.of(key, key.created_at, last_used_from=None))
    )


@router.get(
    "", operation_id="listApiKeys", summary="List one's own API keys", responses=documented_responses("api_keys", 401, 403, 503)
)
async def index(caller: CallerDep, context: ContextDep) -> Envelope[ApiKeysView]:
    keys, now = await list_keys(caller.user.address, database=context.database, auth=context.settings.auth)
    return Envelope[ApiKeysView](data=ApiKeysView.of(keys, now))


@router.delete(
    "/{keyId}",
    operation_id="revokeApiKey",
    summary="Revoke one of one's own API keys",
    responses=documented_responses("api_key_revoked", 400, 401, 403, 404, 503),
)
async def revoke(
    key_id: Annotated[UUID, Path(alias="keyId")], caller: CallerDep, context: ContextDep
) -> Envelope[ApiKeyRevokedView]:
    await revoke_key(key_id, caller.user.address, database=context.database)
    return Envelope[ApiKeyRevokedView](data=ApiKeyRevokedView(id=key_id))
