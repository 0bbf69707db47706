"""Dependencies of endpoints: the application context, the caller, the page, common path parameters.

There is no dependency for a database session: a `yield` dependency would commit after the response was sent. Use cases and
endpoints open sessions themselves.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import Depends, Path, Query
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import HTTPConnection, Request

from paimon.application.approval_tickets.stand_ins import with_lent_rights
from paimon.application.identity.api_keys import KEY_PREFIX, authenticate_key
from paimon.application.identity.permissions import NotFromHere, NotPermitted, require_permission
from paimon.application.identity.sign_in import Caller, authenticate
from paimon.composition import AppContext
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import UINT256_MAX
from paimon.domain.user.api_key import ApiKey
from paimon.domain.user.roles import Permission, User
from paimon.errors import Unauthenticated
from paimon.gateway.rest.cursors import CURSOR_CHARACTERS_MAX, CursorCodec
from paimon.gateway.rest.errors import AuthRequired, InvalidInput, rule_for
from paimon.gateway.rest.request_limits import RequestLimits
from paimon.gateway.rest.validation_messages import REQUEST_ID, TICKET_ID
from paimon.infrastructure.database.paging import PageRequest

_bearer = HTTPBearer(auto_error=False, description="the access token of POST /auth/verify or /auth/refresh, or an API key")


def get_context(connection: HTTPConnection) -> AppContext:
    context: AppContext = connection.app.state.context
    return context


ContextDep = Annotated[AppContext, Depends(get_context)]


def get_limits(connection: HTTPConnection) -> RequestLimits:
    limits: RequestLimits = connection.app.state.limits
    return limits


LimitsDep = Annotated[RequestLimits, Depends(get_limits)]


async def require_sign_in_allowed(connection: HTTPConnection, limits: LimitsDep) -> None:
    """Count a challenge or a sign-in of this address. Raises RateLimited, Unavailable."""
    await limits.require_sign_in_allowed(connection)


Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who sends a request: a user who signed in, or a program with an API key that the user made."""

    user: User
    caller: Caller | None = None
    key: ApiKey | None = None

    def require(self, permission: Permission, method: str) -> None:
        """Refuse a right that the user lacks, or the program. Raises NotPermitted.

        Any user may read, and use cases check what more a change needs. No use case knows of keys, so one that may only read
        changes nothing.
        """
        if self.key is not None:
            if permission is Permission.READ and method not in _READING:
                raise NotPermitted("this needs a person who signed in: an API key signs nothing")
            if (fault := self.key.permission_fault(self.user, permission)) is not None:
                raise NotPermitted(fault)
        require_permission(self.user, permission)


_READING: Final = frozenset({"GET", "HEAD"})


async def get_principal(request: HTTPConnection, context: ContextDep, limits: LimitsDep, credentials: Credentials) -> Principal:
    """Return who the access token or API key names, with the role that the person has now.

    Raises:
        AuthRequired: there is no token.
        RateLimited: this person sends too many requests.
        Unavailable: they cannot be counted, and the settings say that they must be.
    """
    if credentials is None:
        raise AuthRequired
    text = credentials.credentials
    network_address = client_address(request)
    if text.startswith(KEY_PREFIX):
        async with limits.key_slots:
            maker, key = await authenticate_key(
                text, network_address, database=context.database, users=context.users, auth=context.settings.auth
            )
        await limits.require_person_allowed(maker.address, request)
        request.state.person = maker.address  # the audit trail names whom something was refused to
        require_admin_network(maker, network_address, context)
        return Principal(maker, key=key)
    keys = context.token_keys
    await limits.require_person_allowed(keys.decode(text).address, request)
    caller = await authenticate(text, database=context.database, auth=context.settings.auth, keys=keys, users=context.users)
    request.state.person = caller.user.address
    require_admin_network(caller.user, network_address, context)
    return Principal(caller.user, caller)


def client_address(connection: HTTPConnection) -> str:
    """Return the address that a request comes from; a forwarding header counts only from a trusted proxy."""
    return connection.client.host if connection.client else ""


def require_admin_network(user: User, network_address: str, context: AppContext) -> None:
    """Refuse a person with an administrator's right at another address than the settings allow. Raises NotFromHere."""
    if not context.settings.api.serves_admins_at(network_address) and user.administers:
        raise NotFromHere


PrincipalDep = Annotated[Principal, Depends(get_principal)]


async def get_caller(principal: PrincipalDep) -> Caller:
    """Return the person who signed in. Raises NotPermitted for a program."""
    if principal.caller is None:
        raise NotPermitted("this needs a person who signed in, not an API key")
    return principal.caller


CallerDep = Annotated[Caller, Depends(get_caller)]


async def find_caller_address(
    request: HTTPConnection, context: ContextDep, limits: LimitsDep, credentials: Credentials
) -> Address | None:
    """Return who calls, or None without an access token. A token that is sent must be valid."""
    if credentials is None:
        return None
    return (await get_caller(await get_principal(request, context, limits, credentials))).user.address


OptionalAddress = Annotated[Address | None, Depends(find_caller_address)]


async def may_read_report(request: HTTPConnection, context: ContextDep, limits: LimitsDep, credentials: Credentials) -> bool:
    """Return whether the caller may see the components of the health report: a user may.

    While the database does not answer, a token that was issued here and has not expired is enough: then the report is needed.
    """
    try:
        principal = await get_principal(request, context, limits, credentials)
    except Unauthenticated:
        return False
    except Exception as error:
        rule = rule_for(error)
        if credentials is None or rule is None or rule.status != 503:
            raise
        return context.token_keys.decode(credentials.credentials).expires_at > datetime.now(UTC)
    principal.require(Permission.READ, "GET")
    return True


ReportReader = Annotated[bool, Depends(may_read_report)]


def _requires(permission: Permission) -> Callable[[Request, Principal], Awaitable[User]]:
    async def check(request: Request, principal: PrincipalDep) -> User:
        principal.require(permission, request.method)
        return principal.user

    return check


SignedInUser = Annotated[User, Depends(_requires(Permission.READ))]
"""Any user may read; the use case checks further permissions. A program may only read."""


async def get_approving_user(user: SignedInUser, request: Request, context: ContextDep) -> User:
    """Return the user, unless they stand in for an administrator at an address where none is served. Raises NotFromHere."""
    if not context.settings.api.serves_admins_at(client_address(request)):
        async with context.database.write() as session:  # the primary: a replica may lag behind
            acting = await with_lent_rights(session, user, context.signing_rules.scope)
        require_admin_network(acting, client_address(request), context)
    return user


ApprovingUser = Annotated[User, Depends(get_approving_user)]
"""Any user, who may decide in another's place; the use case checks the permission."""

PlanningUser = Annotated[User, Depends(_requires(Permission.EXECUTE_PLAN))]

PolicyManager = Annotated[User, Depends(_requires(Permission.MANAGE_POLICY))]

FundAdministrator = Annotated[User, Depends(_requires(Permission.ADMINISTER_FUND))]

UserManager = Annotated[User, Depends(_requires(Permission.MANAGE_USERS))]

RiskHandler = Annotated[User, Depends(_requires(Permission.HANDLE_RISK))]

AuditReader = Annotated[User, Depends(_requires(Permission.READ_AUDIT))]


def get_cursor_codec(request: Request, context: ContextDep) -> CursorCodec:
    secrets = context.settings.auth.token_secrets()
    return CursorCodec.of(secrets, request.url.path, request.query_params.multi_items())


CursorCodecDep = Annotated[CursorCodec, Depends(get_cursor_codec)]


async def get_page(
    context: ContextDep,
    codec: CursorCodecDep,
    page: Annotated[
        int | None, Query(ge=1, description="counted from 1, which it is unless given; past the end the list is empty")
    ] = None,
    cursor: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=CURSOR_CHARACTERS_MAX,
            description="`nextCursor` of the page before, with the same filters: fast at any depth of the list",
        ),
    ] = None,
    page_size: Annotated[
        int | None, Query(ge=1, alias="pageSize", description="20 unless given; 100 at most, by default")
    ] = None,
) -> PageRequest:
    options = context.settings.api
    size = options.page_size_default if page_size is None else page_size
    if size > options.page_size_max:
        raise InvalidInput("pageSize", f"a page holds at most {options.page_size_max} items, {size} were requested")
    if cursor is None:
        return PageRequest(page or 1, size)
    if page is not None:
        raise InvalidInput("cursor", "page and cursor are both given; give one of them")
    return PageRequest(1, size, after=codec.decode(cursor))


PageDep = Annotated[PageRequest, Depends(get_page)]


async def get_block(
    block: Annotated[
        int | None, Query(ge=0, lt=2**63, description="as of this block; the newest recorded block unless given")
    ] = None,
) -> int | None:
    return block


BlockDep = Annotated[int | None, Depends(get_block)]


async def get_request_id(
    request_id: Annotated[str, Path(alias="requestId", pattern=REQUEST_ID, description="a decimal number")],
) -> int:
    number = int(request_id)
    if number > UINT256_MAX:
        raise InvalidInput("requestId", "a request id is below 2²⁵⁶")
    return number


RequestId = Annotated[int, Depends(get_request_id)]

RiskEventId = Annotated[int, Path(alias="eventId", ge=1, lt=2**63)]

TicketId = Annotated[str, Path(alias="ticketId", pattern=TICKET_ID, description="TKT-…")]
