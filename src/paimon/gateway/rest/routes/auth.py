"""Endpoints of sign-in with a wallet (EIP-4361), and of sessions."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import JSONResponse

from paimon.application.identity.session_store import Origin
from paimon.application.identity.sessions import (
    IssuedTokens,
    RefreshInvalid,
    end_all_sessions,
    end_session,
    list_sessions,
    refresh_session,
)
from paimon.application.identity.sign_in import create_challenge, verify_challenge
from paimon.domain.user.session import SessionEnd
from paimon.gateway.rest.dependencies import CallerDep, ContextDep, LimitsDep, require_sign_in_allowed
from paimon.gateway.rest.envelope import Envelope
from paimon.gateway.rest.openapi import documented_responses
from paimon.gateway.rest.refresh_cookie import (
    delete_refresh_cookie,
    read_refresh_cookie,
    require_own_origin,
    set_refresh_cookie,
)
from paimon.gateway.rest.request_limits import address_of
from paimon.gateway.rest.views.accounts import (
    ChallengeBody,
    ChallengeView,
    ClientKind,
    KeySetView,
    MeView,
    RefreshBody,
    SessionsEndedView,
    SessionsView,
    SignedInView,
    VerifyBody,
)
from paimon.settings import AuthSettings

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
    summary="Exchange a signed message for tokens",
    dependencies=[Depends(require_sign_in_allowed)],
    responses=documented_responses("verify", 400, 401, 403, 413, 415, 503),
)
async def verify(
    body: VerifyBody, context: ContextDep, limits: LimitsDep, request: Request, response: Response
) -> Envelope[SignedInView]:
    """Open a session. A challenge works once. 401 for a foreign, expired or used message; 403 for a wallet without a user."""
    settings = context.settings
    if body.client is ClientKind.BROWSER:
        require_own_origin(request, settings.auth)
    origin = Origin(request.headers.get("user-agent", ""), address_of(request.scope))
    async with limits.sign_in_slots:
        issued = await verify_challenge(
            body.message,
            body.signature,
            origin,
            database=context.database,
            auth=settings.auth,
            keys=context.token_keys,
            scope=context.signing_rules.scope,
            wallets=context.signing.wallets,
        )
    return _signed_in(issued, body.client, response, settings.auth)


@router.post(
    "/refresh",
    operation_id="refreshTokens",
    summary="Exchange a refresh token for new tokens",
    dependencies=[Depends(require_sign_in_allowed)],
    responses=documented_responses("refresh", 400, 401, 403, 413, 415, 503),
)
async def refresh(
    body: RefreshBody, context: ContextDep, limits: LimitsDep, request: Request, response: Response
) -> Envelope[SignedInView]:
    """A program sends the refresh token in the body; a browser sends `{}`, and its cookie has the token.

    A refresh token works once: with it comes the next. One that is used again ends the session, for its owner and for
    every other holder. Within some seconds (`PAIMON_AUTH__REFRESH_GRACE_SECONDS`) it still gives an access token,
    with `refreshToken` null: two tabs of a browser may refresh at the same moment.
    """
    auth = context.settings.auth
    client, token = ClientKind.PROGRAM, body.refresh_token
    if token is None:
        client, token = ClientKind.BROWSER, read_refresh_cookie(request, auth)
        require_own_origin(request, auth)
    if token is None:
        raise RefreshInvalid("there is no refresh token, neither in the body nor in the cookie; sign in again")
    async with limits.sign_in_slots:
        issued = await refresh_session(
            token, database=context.database, auth=auth, keys=context.token_keys, scope=context.signing_rules.scope
        )
    return _signed_in(issued, client, response, auth)


def _signed_in(issued: IssuedTokens, client: ClientKind, response: Response, auth: AuthSettings) -> Envelope[SignedInView]:
    """Present the tokens: a browser's refresh token goes into its cookie, and nowhere else."""
    if client is ClientKind.BROWSER and issued.refresh_token is not None:
        set_refresh_cookie(response, issued.refresh_token, auth)
    return Envelope[SignedInView](data=SignedInView.of(issued, with_refresh_token=client is ClientKind.PROGRAM))


@router.post(
    "/logout",
    operation_id="signOut",
    summary="End the present session",
    responses=documented_responses("logout", 401, 403, 404, 503),
)
async def logout(caller: CallerDep, context: ContextDep, response: Response) -> Envelope[SessionsEndedView]:
    """Access token and refresh token stop working at once, and open WebSockets of the session within seconds."""
    await end_session(caller.token.session, caller.user.address, SessionEnd.SIGNED_OUT, database=context.database)
    delete_refresh_cookie(response, context.settings.auth)
    return Envelope[SessionsEndedView](data=SessionsEndedView(ended=1))


@router.get(
    "/me",
    operation_id="getSignedInUser",
    summary="Show the signed-in user",
    responses=documented_responses("me", 401, 403, 503),
)
async def me(caller: CallerDep) -> Envelope[MeView]:
    return Envelope[MeView](data=MeView.of_caller(caller))


@router.get(
    "/sessions",
    operation_id="listSessions",
    summary="List one's own sessions, latest first",
    responses=documented_responses("sessions", 401, 403, 503),
)
async def sessions(caller: CallerDep, context: ContextDep) -> Envelope[SessionsView]:
    found, now = await list_sessions(caller.user.address, database=context.database, auth=context.settings.auth)
    idle = timedelta(seconds=context.settings.auth.session_idle_seconds)
    return Envelope[SessionsView](data=SessionsView.of(found, now, idle=idle, current=caller.token.session))


@router.delete(
    "/sessions",
    operation_id="endAllSessions",
    summary="End all of one's own sessions, the present one too",
    responses=documented_responses("sessions_ended", 401, 403, 503),
)
async def end_all(caller: CallerDep, context: ContextDep, response: Response) -> Envelope[SessionsEndedView]:
    ended = await end_all_sessions(caller.user.address, SessionEnd.REVOKED, database=context.database)
    delete_refresh_cookie(response, context.settings.auth)
    return Envelope[SessionsEndedView](data=SessionsEndedView(ended=ended))


@router.delete(
    "/sessions/{sessionId}",
    operation_id="endSession",
    summary="End one of one's own sessions",
    responses=documented_responses("session_ended", 400, 401, 403, 404, 503),
)
async def end_one(
    session_id: Annotated[UUID, Path(alias="sessionId")], caller: CallerDep, context: ContextDep
) -> Envelope[SessionsEndedView]:
    await end_session(session_id, caller.user.address, SessionEnd.REVOKED, database=context.database)
    return Envelope[SessionsEndedView](data=SessionsEndedView(ended=1))


@router.get(
    "/jwks.json",
    operation_id="listTokenKeys",
    summary="List the public keys of access tokens",
    response_model=KeySetView,
    responses=documented_responses("token_keys"),
)
async def jwks(context: ContextDep) -> Any:
    """A JWK set (RFC 7517) without the envelope, as libraries read it; a token's header names its key in `kid`."""
    return JSONResponse(context.token_keys.key_set, headers={"Cache-Control": "public, max-age=300"})
