"""The WebSocket endpoint."""

from fastapi import APIRouter, WebSocket

from paimon.gateway.websocket.connection import Connection

router = APIRouter()


@router.websocket("/ws")
async def live(websocket: WebSocket) -> None:
    """Serve live messages; `protocol` documents the messages."""
    state = websocket.app.state
    await Connection(websocket, state.context, state.hub).serve()
