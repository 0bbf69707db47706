"""The WebSocket endpoint."""

from typing import Final

from fastapi import APIRouter, WebSocket

from paimon.errors import RateLimited
from paimon.gateway.rest.request_limits import RequestLimits, address_of, rate_limited_response
from paimon.gateway.websocket.connection import Connection

router = APIRouter()

_RETRY_SECONDS: Final = 5


@router.websocket("/ws")
async def live(websocket: WebSocket) -> None:
    """Serve live messages; `protocol` documents the messages."""
    state = websocket.app.state
    limits: RequestLimits = state.limits
    address = address_of(websocket.scope)
    if (refusal := await limits.refusal_of_address(websocket.scope)) is not None:
        await websocket.send_denial_response(refusal)
        return
    if not limits.sockets_of_address.enter(address):
        refused = RateLimited("too many WebSocket clients of this address, or in all", retry_after_seconds=_RETRY_SECONDS)
        await websocket.send_denial_response(rate_limited_response(refused))
        return
    try:
        await Connection(websocket, state.context, state.hub, limits).serve()
    finally:
        limits.sockets_of_address.leave(address)
