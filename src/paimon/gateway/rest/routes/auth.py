"""Endpoints of sign-in with a wallet (EIP-4361)."""

from fastapi import APIRouter

from paimon.application.identity.sign_in import create_challenge, verify_challenge
from paimon.gateway.rest.dependencies import CallerDep, ContextDep
from paimon.gateway.rest.envelope import Envelope
from paimon.gateway.rest.openapi import documented_responses
from paimon.gateway.rest.views.accounts import ChallengeBody, ChallengeView, MeView, SignedInView, VerifyBody

router = APIRouter(prefix="/auth", tags=["auth"])


@router.post(
    "/challenge",
    operation_id="issueChallenge",
    summary="Create a message for a wallet to sign",
    responses=documented_responses("challenge", 400, 413, 415, 503),
)
async def challenge(body: ChallengeBody, context: ContextDep) -> Envelope[ChallengeView]:
    """Every address gets a message. Whether it may sign in is decided after it has signed."""
    settings = context.settings
    created = await create_challenge(
        body.address, database=context.database, auth=settings.auth, chain_id=settings.chain.chain_id
    )
    return Envelope[ChallengeView](data=ChallengeView.of(created))


@router.post(
    "/verify",
    operation_id="verifyChallenge",
    summary="Exchange a signed message for an access token",
    responses=documented_responses("verify", 400, 401, 403, 413, 415, 503),
)
async def verify(body: VerifyBody, context: ContextDep) -> Envelope[SignedInView]:
    """A challenge works once. 401 for a foreign, expired or used message; 403 for a wallet without a user."""
    settings = context.settings
    signed_in = await verify_challenge(
        body.message, body.signature, database=context.database, auth=settings.auth, chain_id=settings.chain.chain_id
    )
    return Envelope[SignedInView](data=SignedInView.of(signed_in))


@router.get(
    "/me", operation_id="getSignedInUser", summary="Show the signed-in user", responses=documented_responses("me", 401, 503)
)
async def me(caller: CallerDep) -> Envelope[MeView]:
    return Envelope[MeView](data=MeView.of_caller(caller))
