"""Endpoints of sign-in with a wallet (EIP-4361)."""

from datetime import UTC, datetime

from fastapi import APIRouter, Depends, Request

from paimon.application.identity.sign_in import create_challenge, verify_challenge
from paimon.gateway.rest.dependencies import CallerDep, ContextDep, require_sign_in_allowed
from paimon.gateway.rest.envelope import Envelope
from paimon.gateway.rest.openapi import documented_responses
from paimon.gateway.rest.request_limits import RequestLimits
from paimon.gateway.rest.views.accounts import ChallengeBody, ChallengeView, MeView, SignedInView, VerifyBody

router = APIRouter(prefix="/auth", tags=["auth"])


@router.post(
    "/challenge",
    operation_id="issueChallenge",
    summary="Create a message for a wallet to sign",
    dependencies=[Depends(require_sign_in_allowed)],
    responses=documented_responses("challenge", 400, 413, 415, 503),
)
async def challenge(body: ChallengeBody, context: ContextDep) -> Envelope[ChallengeView]:
    """Every address gets a message. Whether it may sign in is decided after it has signed."""
    settings = context.settings
    now = datetime.now(UTC)
    created = create_challenge(body.address, auth=settings.auth, chain_id=settings.chain.chain_id, now=now)
    return Envelope[ChallengeView](data=ChallengeView.of(created))


@router.post(
    "/verify",
    operation_id="verifyChallenge",
    summary="Exchange a signed message for an access token",
    dependencies=[Depends(require_sign_in_allowed)],
    responses=documented_responses("verify", 400, 401, 403, 413, 415, 503),
)
async def verify(body: VerifyBody, context: ContextDep, request: Request) -> Envelope[SignedInView]:
    """A challenge works once. 401 for a foreign, expired or used message; 403 for a wallet without a user."""
    settings = context.settings
    limits: RequestLimits = request.app.state.limits
    async with limits.sign_in_slots:
        signed_in = await verify_challenge(
            body.message, body.signature, database=context.database, auth=settings.auth, scope=context.signing_rules.scope
        )
    return Envelope[SignedInView](data=SignedInView.of(signed_in))


@router.get(
    "/me", operation_id="getSignedInUser", summary="Show the signed-in user", responses=documented_responses("me", 401, 503)
)
async def me(caller: CallerDep) -> Envelope[MeView]:
    return Envelope[MeView](data=MeView.of_caller(caller))
