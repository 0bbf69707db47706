"""Settings of the API server."""

import ipaddress
import re
from typing import Final

from pydantic import Field, field_validator

from paimon.domain.operations.rate_limit import WithoutCount
from paimon.settings.base import SettingsGroup

_ORIGIN: Final = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")


class ApiSettings(SettingsGroup):
    """Where the API listens, and the limits of its answers and of its callers.

    Requests and sign-ins are counted by all replicas together, everything else by each process for itself.
    """

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65_535, description="TCP port to listen on; 0 takes a free one")
    page_size_default: int = Field(20, description="items of one page when the request names no size")
    page_size_max: int = Field(100, description="items of one page at most; a larger size is refused")
    body_bytes_max: int = Field(64 * 1024, description="bytes of a request body; a larger body is refused")
    csv_rows_max: int = Field(100_000, ge=1, description="rows of one CSV; a longer list is refused, so none is cut short")
    csv_seconds_max: float = Field(120.0, gt=0, description="seconds to download one CSV; a slower download is cut off")
    csv_files_max: int = Field(
        3,
        ge=1,
        description="CSV files and statements made at a time; a CSV file holds a database session until it is downloaded",
    )
    trusted_proxies: str = Field(
        "",
        description="addresses or networks of reverse proxies, separated by commas; only theirs is `X-Forwarded-For` believed",
    )
    admin_networks: str = Field(
        "",
        description="addresses or networks, separated by commas, from which people with an administrator's right are served;"
        " anywhere if empty",
    )
    cors_origins: str = Field(
        "",
        description="origins such as https://reports.fund.example, separated by commas, whose pages may call the API with an"
        " access token; none if empty",
    )
    connections_max: int = Field(5_000, ge=1, description="open connections; one more is refused")
    connections_per_address_max: int = Field(
        200, ge=1, description="open connections of one address (in IPv6, of one /64 network); trusted proxies are not counted"
    )
    head_bytes_max: int = Field(32 * 1024, ge=1_024, description="bytes of a request line with its header fields, about")
    head_seconds_max: float = Field(10.0, gt=0, description="seconds in which the head of a request must arrive")
    body_seconds_max: float = Field(30.0, gt=0, description="seconds in which the body of a request must arrive")
    stalled_seconds_max: float = Field(
        30.0, gt=0, description="seconds for which a client may read nothing of what is sent to it"
    )
    keep_alive_seconds: int = Field(5, ge=1, description="seconds that a connection stays open between two requests")
    requests_per_second_per_address: float = Field(50.0, gt=0, description="requests of one address; more get a 429")
    requests_burst_per_address: int = Field(500, ge=1, description="requests that one address may send at once")
    refusal_pause_seconds: float = Field(
        1.0, ge=0, description="seconds before an address that sends too many requests gets its 429: who floods waits for it"
    )
    requests_per_second_per_person: float = Field(25.0, gt=0, description="requests of one signed-in person; more get a 429")
    requests_burst_per_person: int = Field(250, ge=1, description="requests that one person may send at once")
    sign_ins_per_minute_per_address: float = Field(30.0, gt=0, description="challenges and sign-ins of one address")
    sign_ins_burst_per_address: int = Field(30, ge=1, description="challenges and sign-ins that one address may send at once")
    address_limit_without_redis: WithoutCount = Field(
        WithoutCount.SERVE,
        description="what becomes of requests that Redis cannot count per address: `serve`, each replica counting for itself,"
        " or `refuse` with a 503",
    )
    person_limit_without_redis: WithoutCount = Field(
        WithoutCount.SERVE, description="the same for requests that Redis cannot count per person: `serve` or `refuse`"
    )
    sign_in_limit_without_redis: WithoutCount = Field(
        WithoutCount.SERVE, description="the same for challenges and sign-ins that Redis cannot count: `serve` or `refuse`"
    )
    ws_sockets_max: int = Field(5_000, ge=1, description="WebSocket clients of this process")
    ws_sockets_per_address_max: int = Field(50, ge=1, description="WebSocket clients of one address")
    ws_sockets_per_person_max: int = Field(10, ge=1, description="WebSocket clients of one signed-in person")
    ws_messages_per_second: float = Field(5.0, gt=0, description="messages of one WebSocket client; more end its connection")
    ws_messages_burst: int = Field(50, ge=1, description="messages that one WebSocket client may send at once")
    ws_auth_messages_per_minute: float = Field(6.0, gt=0, description="access tokens that one WebSocket client may send")
    ws_auth_messages_burst: int = Field(5, ge=1, description="access tokens that one WebSocket client may send at once")
    ws_bytes_per_second: float = Field(16_384.0, gt=0, description="bytes of one WebSocket client, pings and framing included")
    ws_bytes_burst: int = Field(262_144, ge=65_536, description="bytes that one WebSocket client may send at once")
    ws_queue_max: int = Field(256, description="messages waiting for a WebSocket client; a slower client is disconnected")
    ws_rights_seconds: float = Field(
        5.0, gt=0, description="seconds after which a changed or removed role has ended its WebSocket clients"
    )
    ws_auth_timeout_seconds: float = Field(10.0, description="seconds in which a WebSocket client must authenticate")

    @field_validator("trusted_proxies", "admin_networks")
    @classmethod
    def _names_networks(cls, text: str) -> str:
        for network in _split(text):
            ipaddress.ip_network(network)  # its own message says what is wrong
        return text

    @field_validator("cors_origins")
    @classmethod
    def _names_origins(cls, text: str) -> str:
        for origin in _split(text):
            if _ORIGIN.fullmatch(origin) is None:
                raise ValueError(f"{origin!r} is no origin: https://host, in lower case, without a path; `*` is not allowed")
        return text

    def proxies(self) -> list[str]:
        """List the trusted proxies."""
        return _split(self.trusted_proxies)

    def allowed_origins(self) -> list[str]:
        """List the other origins whose pages may call the API."""
        return _split(self.cors_origins)

    def serves_admins_at(self, host: str) -> bool:
        """Return whether people with an administrator's right are served at this address."""
        networks = _split(self.admin_networks)
        if not networks:
            return True
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in ipaddress.ip_network(network) for network in networks)


def _split(text: str) -> list[str]:
    return [part for item in text.split(",") if (part := item.strip())]
