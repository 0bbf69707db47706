"""The address of the WebSocket."""

from fastapi import APIRouter, WebSocket

from paimon.gateway.websocket.connection import Connection

router = APIRouter()


@router.websocket("/ws")
async def live(websocket: WebSocket) -> None:
    """Live messages; see the protocol module for what is said."""
    state = websocket.app.state
    await Connection(websocket, state.context, state.hub).serve()
