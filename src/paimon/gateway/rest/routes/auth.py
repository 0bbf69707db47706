"""Sign-in with a wallet, EIP-4361. Refresh tokens and sessions come with the identity part."""

from fastapi import APIRouter

from paimon.application.identity.sign_in import create_challenge, verify_challenge
from paimon.gateway.rest.dependencies import CallerDep, ContextDep
from paimon.gateway.rest.envelope import Envelope
from paimon.gateway.rest.openapi import answers
from paimon.gateway.rest.views.accounts import ChallengeBody, ChallengeView, MeView, SignedInView, VerifyBody

router = APIRouter(prefix="/auth", tags=["auth"])


@router.post("/challenge", summary="A message for this wallet to sign", responses=answers("challenge", 400, 413, 415, 503))
async def challenge(body: ChallengeBody, context: ContextDep) -> Envelope[ChallengeView]:
    """Given to every address that asks: whether it may sign in shows only after it has signed."""
    settings = context.settings
    given = await create_challenge(
        body.address, database=context.database, auth=settings.auth, chain_id=settings.chain.chain_id
    )
    return Envelope[ChallengeView](data=ChallengeView.of(given))


@router.post(
    "/verify", summary="An access token for a signed message", responses=answers("verify", 400, 401, 403, 413, 415, 503)
)
async def verify(body: VerifyBody, context: ContextDep) -> Envelope[SignedInView]:
    """The challenge works once. 401 for a message that is not ours, expired or used; 403 for a wallet that is nobody's."""
    settings = context.settings
    signed_in = await verify_challenge(
        body.message, body.signature, database=context.database, auth=settings.auth, chain_id=settings.chain.chain_id
    )
    return Envelope[SignedInView](data=SignedInView.of(signed_in))


@router.get("/me", summary="Who this token names", responses=answers("me", 401, 503))
async def me(caller: CallerDep) -> Envelope[MeView]:
    return Envelope[MeView](data=MeView.of_caller(caller))
