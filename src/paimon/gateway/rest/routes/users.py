"""Endpoints of users: who may do what now, why a right is missing, and changes of users by signed grants."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path

from paimon.application.approval_tickets.stand_ins import with_lent_rights
from paimon.application.common.signed_action import contract_wallets_refused
from paimon.application.identity.erase_person import erase_person
from paimon.application.identity.rights import get_user_detail, list_user_rights, read_rights
from paimon.application.identity.sessions import end_all_sessions, list_sessions
from paimon.application.identity.submit_grant import propose_grant, submit_grant
from paimon.domain.kernel.chain import Address
from paimon.domain.user.session import SessionEnd
from paimon.gateway.rest.dependencies import ContextDep, SignedInUser, UserManager
from paimon.gateway.rest.envelope import Envelope
from paimon.gateway.rest.openapi import documented_responses
from paimon.gateway.rest.schema import AddressText
from paimon.gateway.rest.views.accounts import PersonErasedView, SessionsEndedView, SessionsView
from paimon.gateway.rest.views.signed_action import ActionDocumentView, SignedActionBody
from paimon.gateway.rest.views.users import (
    ChangedUserView,
    OwnRightsView,
    SignedUserChangeBody,
    UserChangeBody,
    UserDetailView,
    UserRightsView,
    UsersView,
)

router = APIRouter(tags=["users"])

_UserAddress = Annotated[AddressText, Path(alias="address")]


@router.get(
    "/me",
    operation_id="getOwnRights",
    summary="Show what one may do now",
    responses=documented_responses("own_rights", 401, 403, 503),
)
async def me(user: SignedInUser, context: ContextDep) -> Envelope[OwnRightsView]:
    """Every right with `isAllowed`, and for each that is missing the reasons: a role here, a role on chain, a denial.

    The rights that a stand-in has of another person are among `granted`.
    """
    async with context.database.read() as session:
        acting = await with_lent_rights(session, user, context.signing_rules.scope)
    return Envelope[OwnRightsView](data=OwnRightsView.of(await read_rights(acting, context.database)))


@router.get(
    "/users", operation_id="listUsers", summary="List the users", responses=documented_responses("users", 401, 403, 503)
)
async def users(_user: SignedInUser, context: ContextDep) -> Envelope[UsersView]:
    """Every user whom signed grants make, oldest first."""
    return Envelope[UsersView](data=UsersView.of(await list_user_rights(context.database, context.signing_rules.scope)))


@router.post(
    "/users/preview",
    operation_id="previewUserChange",
    summary="Get the grant to sign for a change of a user",
    responses=documented_responses("user_grant", 400, 401, 403, 404, 409, 413, 415, 503),
)
async def preview_change(body: UserChangeBody, _manager: UserManager, context: ContextDep) -> Envelope[ActionDocumentView]:
    """Return the grant that follows the newest one, as EIP-712 typed data with a fresh nonce and expiry. Nothing changes yet.

    Sign `typedData` with eth_signTypedData_v4, and send the same change with the signature, `message.nonce` and
    `message.expiresAt` to `submitTo`. If another grant was added since, the signature does not count.
    """
    grant = await propose_grant(body.change, database=context.database, rules=context.signing_rules)
    return Envelope[ActionDocumentView](
        data=ActionDocumentView(
            statement=grant.statement,
            typed_data=grant.document(context.signing_rules.scope),
            expires_at=grant.terms.expires_at,
            submit_to="/users",
        )
    )


@router.post(
    "/users",
    operation_id="changeUser",
    summary="Add, change or remove a user",
    responses=documented_responses("user_changed", 400, 401, 403, 404, 409, 413, 415, 503),
)
async def change_user(body: SignedUserChangeBody, manager: UserManager, context: ContextDep) -> Envelope[ChangedUserView]:
    """Add the grant that a super_admin signed. It counts from the next request on, also on open WebSocket connections."""
    async with contract_wallets_refused(manager.address, context.rpc):
        user = await submit_grant(body.command_of(manager), database=context.database, rules=context.signing_rules)
    view = None if user is None else UserRightsView.of(await read_rights(user, context.database))
    return Envelope[ChangedUserView](data=ChangedUserView(address=body.address, user=view))


@router.get(
    "/users/{address}",
    operation_id="getUser",
    summary="Show a user with their rights and grants",
    responses=documented_responses("user", 400, 401, 403, 404, 503),
)
async def user_detail(address: _UserAddress, _user: SignedInUser, context: ContextDep) -> Envelope[UserDetailView]:
    detail = await get_user_detail(Address(address), context.database, context.signing_rules.scope)
    return Envelope[UserDetailView](data=UserDetailView.of_detail(detail))


@router.get(
    "/users/{address}/sessions",
    operation_id="listUserSessions",
    summary="List the sessions of a person",
    responses=documented_responses("user_sessions", 400, 401, 403, 503),
)
async def user_sessions(address: _UserAddress, _manager: UserManager, context: ContextDep) -> Envelope[SessionsView]:
    found, now = await list_sessions(Address(address), database=context.database, auth=context.settings.auth)
    idle = timedelta(seconds=context.settings.auth.session_idle_seconds)
    return Envelope[SessionsView](data=SessionsView.of(found, now, idle=idle))


@router.delete(
    "/users/{address}/sessions",
    operation_id="endUserSessions",
    summary="End all sessions of a person",
    responses=documented_responses("user_sessions_ended", 400, 401, 403, 503),
)
async def end_user_sessions(address: _UserAddress, _manager: UserManager, context: ContextDep) -> Envelope[SessionsEndedView]:
    """The person may sign in again; a grant of the role null takes that away."""
    ended = await end_all_sessions(Address(address), SessionEnd.REVOKED, database=context.database)
    return Envelope[SessionsEndedView](data=SessionsEndedView(ended=ended))


@router.post(
    "/users/{address}/erase",
    operation_id="erasePerson",
    summary="Erase the personal data of a former user",
    responses=documented_responses("person_erased", 400, 401, 403, 404, 409, 413, 415, 503),
)
async def erase(
    address: _UserAddress, body: SignedActionBody, user: SignedInUser, context: ContextDep
) -> Envelope[PersonErasedView]:
    """Erase it as a super_admin signed it: the document of `erase_person` from `POST /signed-actions`.

    Where the person's sessions and API keys were used from becomes unreadable. Name, address and what the person signed
    stay. 409 for a user: remove them first. 404 where there is nothing to erase.
    """
    await erase_person(Address(address), body.request_of(user), context.signing)
    return Envelope[PersonErasedView](data=PersonErasedView(address=address))
