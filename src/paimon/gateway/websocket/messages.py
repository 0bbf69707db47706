"""Shapes of the WebSocket's messages, which the AsyncAPI document is made from.

`protocol` parses what clients send, and encodes what the server sends; tests compare both with these shapes.
"""

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from paimon.domain.chain.pending_logs import PendingLogStatus
from paimon.domain.kernel.chain import ContractName
from paimon.domain.user.roles import UserRole
from paimon.gateway.rest.envelope import ErrorCode
from paimon.gateway.rest.schema import AddressText, ApiModel, BigInt, HashText, Time
from paimon.gateway.rest.views.fund import BlockView, OfficialNavView, OverviewView
from paimon.gateway.views.live_messages import (
    LiveEmergencyView,
    LiveRebalanceView,
    LiveRedemptionView,
    LiveTicketView,
    RiskAlertView,
)
from paimon.gateway.websocket.protocol import LiveChannel


class ClientModel(BaseModel):
    """Base of what a client sends. Fields that the server does not know are ignored."""

    model_config = ConfigDict(extra="ignore")


class Auth(ClientModel):
    """Sign in soon after connecting (10 s by default); again at any time with a newer token."""

    type: Literal["auth"]
    token: str = Field(description="the access token of POST /auth/verify")


class Subscribe(ClientModel):
    """Receive the messages of these channels too."""

    type: Literal["subscribe"]
    channels: list[LiveChannel]


class Unsubscribe(ClientModel):
    """Receive the messages of these channels no more."""

    type: Literal["unsubscribe"]
    channels: list[LiveChannel]


class Ping(ClientModel):
    """Ask for a pong."""

    type: Literal["ping"]


class Authenticated(ApiModel):
    """The token is accepted until it expires."""

    type: Literal["authenticated"]
    address: AddressText
    role: UserRole
    expires_at: Time


class Subscribed(ApiModel):
    """All channels the client is subscribed to now."""

    type: Literal["subscribed"]
    channels: list[LiveChannel]


class Pong(ApiModel):
    """The reply to a ping."""

    type: Literal["pong"]


class Resync(ApiModel):
    """Messages may have been missed: read again over REST what is shown."""

    type: Literal["resync"]


class Error(ApiModel):
    """The last message of the client was refused, or the connection is about to close."""

    type: Literal["error"]
    code: ErrorCode
    message: str


class LiveNavView(ApiModel):
    """The present NAV, and the newest official one."""

    share_price: BigInt
    nav: str
    total_assets: BigInt
    aum: str
    official: OfficialNavView | None
    block: BlockView
    last_updated: Time


class LivePendingLogView(ApiModel):
    """An event of a block that is not final: pending, then finalized or orphaned."""

    status: PendingLogStatus
    block_number: int
    block_hash: HashText
    tx_hash: HashText
    log_index: int
    contract: ContractName
    address: AddressText
    event: str | None
    args: dict[str, Any] | None


LIVE_DATA: Final[dict[LiveChannel, type[ApiModel]]] = {
    LiveChannel.FUND_OVERVIEW: OverviewView,
    LiveChannel.FUND_NAV: LiveNavView,
    LiveChannel.FUND_PENDING_LOGS: LivePendingLogView,
    LiveChannel.REDEMPTION_NEW: LiveRedemptionView,
    LiveChannel.REDEMPTION_SETTLED: LiveRedemptionView,
    LiveChannel.APPROVAL_NEW: LiveTicketView,
    LiveChannel.APPROVAL_RESOLVED: LiveTicketView,
    LiveChannel.RISK_ALERT: RiskAlertView,
    LiveChannel.RISK_EMERGENCY: LiveEmergencyView,
    LiveChannel.REBALANCE_EXECUTED: LiveRebalanceView,
}
"""The data of each channel's messages."""

LIVE_SUMMARIES: Final[dict[LiveChannel, str]] = {
    LiveChannel.FUND_OVERVIEW: "The data of GET /fund/overview, with every snapshot: each minute and after events",
    LiveChannel.FUND_NAV: "The present NAV and the newest official one, when either changes",
    LiveChannel.FUND_PENDING_LOGS: "An event of a block that is not final, and then what became of it",
    LiveChannel.REDEMPTION_NEW: "A request was made",
    LiveChannel.REDEMPTION_SETTLED: "A request was settled",
    LiveChannel.APPROVAL_NEW: "A ticket was opened",
    LiveChannel.APPROVAL_RESOLVED: "A ticket was closed",
    LiveChannel.RISK_ALERT: "A risk event was opened, or became more severe",
    LiveChannel.RISK_EMERGENCY: "An emergency or a drill began, changed or ended",
    LiveChannel.REBALANCE_EXECUTED: "A plan of the rebalance engine was carried out and compared with what it expected",
}


def _live_message(channel: LiveChannel, data: type[ApiModel]) -> type[ApiModel]:
    name = "".join(part.capitalize() for part in channel.value.replace("-", ":").split(":"))
    fields: dict[str, Any] = {
        "type": (Literal["message"], ...),
        "channel": (Literal[channel], ...),
        "data": (data, ...),
        "timestamp": (Time, ...),
    }
    model: type[ApiModel] = create_model(f"{name}Message", __base__=ApiModel, __doc__=LIVE_SUMMARIES[channel] + ".", **fields)
    return model


CLIENT_MESSAGES: Final[tuple[type[BaseModel], ...]] = (Auth, Subscribe, Unsubscribe, Ping)
SERVER_MESSAGES: Final[tuple[type[BaseModel], ...]] = (Authenticated, Subscribed, Pong, Resync, Error)
LIVE_MESSAGES: Final[dict[LiveChannel, type[ApiModel]]] = {
    channel: _live_message(channel, data) for channel, data in LIVE_DATA.items()
}
