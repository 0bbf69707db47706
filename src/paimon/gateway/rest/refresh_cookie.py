"""The refresh token of a browser: a cookie that no script reads and that goes to one path only.

    HttpOnly           a script that gets into the page cannot read it
    Secure             only over TLS; absent on http://127.0.0.1, where browsers differ in what they count as secure
    SameSite=Strict    no other site's page sends it
    Path               only POST /auth/refresh gets it, so no other request can leak it

A page of another site could still make the browser send a request, and a page of another port of this machine counts as the
same site. So a request that sets or uses the cookie must name this site in `Origin`, which browsers send and no page changes.
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from paimon.errors import Forbidden
from paimon.settings import AuthSettings

_PATH: Final = "/api/v1/auth/refresh"
_NAME: Final = "paimon-refresh"


class ForeignOrigin(Forbidden):
    """The request comes from a page of another site."""


def require_own_origin(request: Request, auth: AuthSettings) -> None:
    """Refuse a request that no page of this site sent. Raises ForeignOrigin."""
    if (origin := request.headers.get("origin", "")).lower() != auth.origin:
        raise ForeignOrigin(
            f"a browser's sign-in comes from {auth.origin}; this request's `Origin` is {origin[:200] or 'absent'}"
        )


def read_refresh_cookie(request: Request, auth: AuthSettings) -> str | None:
    return request.cookies.get(_name(auth))


def set_refresh_cookie(response: Response, token: str, auth: AuthSettings) -> None:
    """Give the browser its refresh token, until the end of the session at most."""
    response.set_cookie(
        _name(auth),
        token,
        max_age=auth.refresh_token_ttl_seconds,
        path=_PATH,
        secure=auth.is_encrypted,
        httponly=True,
        samesite="strict",
    )


def delete_refresh_cookie(response: Response, auth: AuthSettings) -> None:
    response.delete_cookie(_name(auth), path=_PATH, secure=auth.is_encrypted, httponly=True, samesite="strict")


def _name(auth: AuthSettings) -> str:
    """Return the cookie's name; browsers take `__Secure-` only over TLS, so that no plain page can replace the cookie."""
    return f"__Secure-{_NAME}" if auth.is_encrypted else _NAME
