"""Settings of the chain: RPC endpoints, the listener's ranges, and finality."""

import re
from typing import Annotated, Final, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from paimon.domain.chain.endpoint_health import EndpointUse
from paimon.domain.chain.finality import FinalityRule, FinalityTag
from paimon.settings.base import HttpUrl, SettingsGroup, WebSocketUrl

Uses = Annotated[str, Field(pattern=r"^(read|write|archive)(,(read|write|archive))*$")]


class EndpointSettings(NamedTuple):
    """One RPC endpoint and its uses."""

    url: SecretStr
    uses: frozenset[EndpointUse]

    @property
    def host(self) -> str:
        return urlsplit(self.url.get_secret_value()).netloc.rpartition("@")[2]


def _uses(text: str) -> frozenset[EndpointUse]:
    return frozenset(EndpointUse(use) for use in text.split(","))


_ENDPOINT: Final = re.compile(r"(?:((?:read|write|archive)(?:,(?:read|write|archive))*)=)?(https?://\S+)")


def _endpoints(text: str) -> list[EndpointSettings]:
    """Parse the entries.

    Raises:
        ValueError: names the wrong entry by its number; its text may hold a secret.
    """
    found = []
    for number, entry in enumerate(text.split(), start=1):
        if (match := _ENDPOINT.fullmatch(entry)) is None:
            raise ValueError(
                f"entry {number} must be a URL that starts with https:// or http://, or uses=URL as in read,archive=…"
            )
        found.append(EndpointSettings(SecretStr(match[2]), _uses(match[1] or "read,write")))
    return found


def _require_readable_endpoints(text: SecretStr) -> SecretStr:
    _endpoints(text.get_secret_value())
    return text


ExtraRpcUrls = Annotated[SecretStr, AfterValidator(_require_readable_endpoints)]


class FinalitySettings(SettingsGroup):
    """Finality rule of one chain. With a tag and a depth, the later one decides. See domain/chain/finality.py."""

    tag: FinalityTag | None = Field(None, description="block tag of the node: finalized or safe")
    depth: int | None = Field(None, ge=1, description="blocks below the head")
    turn_length: int | None = Field(
        None, ge=1, description="BSC only: blocks of one turn; 11 turns below the head stand in for a missing tag"
    )
    allow_weaker_rule: bool = Field(
        False, description="accept a rule that may call a block final earlier than the chain's own rule"
    )

    @model_validator(mode="after")
    def _require_a_rule(self) -> Self:
        if self.tag is None and self.depth is None and self.turn_length is None:
            raise ValueError("a rule needs a TAG, a DEPTH or a TURN_LENGTH")
        if self.turn_length is not None and self.tag is FinalityTag.SAFE:
            raise ValueError("TURN_LENGTH stands in for the tag `finalized`; it cannot be combined with another tag")
        return self

    @property
    def rule(self) -> FinalityRule:
        tag = FinalityTag.FINALIZED if self.turn_length is not None else self.tag
        return FinalityRule(tag, self.depth, self.turn_length)


class ChainSettings(SettingsGroup):
    """RPC endpoints, and how the listener reads the chain."""

    chain_id: int = Field(description="56 BSC, 97 BSC testnet, 31337 local; an endpoint of another chain is refused")
    rpc_url: HttpUrl = Field(description="the first RPC endpoint")
    rpc_uses: Uses = Field("read,write", description="uses of `RPC_URL`: read, write and archive, separated by commas")
    extra_rpc_urls: ExtraRpcUrls | None = Field(
        None, description="more endpoints, separated by spaces; for uses other than read,write: read,archive=https://…"
    )
    ws_url: WebSocketUrl | None = Field(
        None, description="WebSocket that announces new heads; without it the listener wakes by polling alone"
    )
    new_heads_silence_seconds: float = Field(
        10.0, gt=0, description="seconds without a new head after which the WebSocket is taken for dead and connected again"
    )
    private_tx_url: HttpUrl | None = Field(
        None, description="endpoint that gets transactions first, so that the public pool does not see them"
    )
    poll_seconds: float = Field(1.0, gt=0, description="seconds between polls for new blocks")
    request_timeout_seconds: float = Field(10.0, gt=0, description="seconds to wait for the answer to one RPC request")
    attempts_max: int = Field(5, ge=1, description="attempts of one RPC request, over all endpoints")
    batch_blocks_max: int = Field(200, ge=1, description="blocks that the listener records in one transaction")
    batch_logs_max: int = Field(
        5_000, ge=1, description="logs that the listener records in one transaction, except for one block that has more"
    )
    strict_proof_blocks: int = Field(
        256,
        ge=0,
        description="blocks below the final block in which every header is fetched and only receipts count as proof; older"
        " blocks are fetched as whole segments, ahead of their recording",
    )
    receipts_blocks_max: int = Field(20, ge=1, description="blocks whose receipts the listener may fetch for one live range")
    catch_up_blocks_max: int = Field(5_000, ge=1, description="blocks of one segment")
    catch_up_concurrency: int = Field(4, ge=1, description="segments that are fetched, or wait to be recorded, at a time")
    pending_blocks_max: int = Field(64, ge=1, description="blocks below the head that are searched for pending logs")
    pending_logs_max: int = Field(1_000, ge=1, description="pending logs that are kept")
    finality: dict[int, FinalitySettings] = Field(
        default_factory=dict,
        description="finality rules by chain id that replace the chain's own: PAIMON_CHAIN__FINALITY__56__DEPTH",
    )

    @property
    def endpoints(self) -> list[EndpointSettings]:
        """Return all endpoints, `rpc_url` first."""
        further = _endpoints(self.extra_rpc_urls.get_secret_value()) if self.extra_rpc_urls else []
        return [EndpointSettings(self.rpc_url, _uses(self.rpc_uses)), *further]

    @model_validator(mode="after")
    def _endpoints_differ_and_serve_all(self) -> Self:
        hosts = [endpoint.host for endpoint in self.endpoints]
        if twice := sorted({host for host in hosts if hosts.count(host) > 1}):
            raise ValueError(
                f"RPC_URL and EXTRA_RPC_URLS name {', '.join(twice)} twice: endpoints differ by host and port, and two"
                " endpoints of one provider do not check each other"
            )
        for use in (EndpointUse.READ, EndpointUse.WRITE):
            if not any(use in endpoint.uses for endpoint in self.endpoints):
                raise ValueError(f"no endpoint is for {use.value}: RPC_USES or EXTRA_RPC_URLS must name one")
        return self
