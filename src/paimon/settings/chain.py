"""Where the chain is asked, how it is followed, and which contracts are the fund's."""

import re
from typing import Annotated, Final, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from paimon.domain.chain.endpoint_health import EndpointUse
from paimon.domain.chain.finality import FinalityRule, FinalityTag
from paimon.settings.base import HttpUrl, SettingsGroup, WebSocketUrl

Uses = Annotated[str, Field(pattern=r"^(read|write|archive)(,(read|write|archive))*$")]


class EndpointSettings(NamedTuple):
    """One RPC endpoint and what it is for."""

    url: SecretStr
    uses: frozenset[EndpointUse]

    @property
    def host(self) -> str:
        return urlsplit(self.url.get_secret_value()).netloc.rpartition("@")[2]


def _uses(text: str) -> frozenset[EndpointUse]:
    return frozenset(EndpointUse(each) for each in text.split(","))


_ENDPOINT: Final = re.compile(r"(?:((?:read|write|archive)(?:,(?:read|write|archive))*)=)?(https?://\S+)")


def _endpoints(text: str) -> list[EndpointSettings]:
    """Raises ValueError, which says which entry is wrong but not what it holds."""
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
    """When a block of one chain is final. A tag and a depth together: whichever is later. See domain/finality.py."""

    tag: FinalityTag | None = Field(None, description="the node's own word")
    depth: int | None = Field(None, ge=1, description="so many blocks below the head")
    turn_length: int | None = Field(None, ge=1, description="of BSC: 11 turns below the head where a node lacks the tag")
    allow_weaker_rule: bool = Field(False, description="yes, final may be earlier than by the chain's own rule")

    @model_validator(mode="after")
    def _require_a_rule(self) -> Self:
        if self.tag is None and self.depth is None and self.turn_length is None:
            raise ValueError("a rule needs a TAG, a DEPTH or a TURN_LENGTH")
        if self.turn_length is not None and self.tag is FinalityTag.SAFE:
            raise ValueError("TURN_LENGTH stands in for the tag `finalized`; it does not go with another")
        return self

    @property
    def rule(self) -> FinalityRule:
        tag = FinalityTag.FINALIZED if self.turn_length is not None else self.tag
        return FinalityRule(tag, self.depth, self.turn_length)


class ChainSettings(SettingsGroup):
    chain_id: int = Field(description="56 BSC, 97 BSC testnet, 31337 local; refused when the node says another")
    rpc_url: HttpUrl
    rpc_uses: Uses = Field("read,write", description="of rpc_url: read, write and archive, separated by commas")
    extra_rpc_urls: ExtraRpcUrls | None = Field(
        None, description="further endpoints, separated by spaces; for other uses than read,write: read,archive=https://…"
    )
    ws_url: WebSocketUrl | None = Field(None, description="doorbell only; without it the poll alone wakes the listener")
    private_tx_url: HttpUrl | None = Field(None, description="takes our transactions first, out of the public pool's sight")
    poll_seconds: float = Field(1.0, gt=0)
    request_timeout_seconds: float = Field(10.0, gt=0)
    attempts_max: int = Field(5, ge=1, description="bounded retries of one RPC request")
    batch_blocks_max: int = Field(200, ge=1, description="blocks per transaction of the listener")
    batch_logs_max: int = Field(
        5_000, ge=1, description="logs per transaction of the listener, but for one block that has more"
    )
    strict_proof_blocks: int = Field(
        256,
        ge=0,
        description="so far below the final block every header is asked for, and nothing but receipts is taken as proof;"
        " farther, whole stretches are fetched at once and ahead",
    )
    receipts_blocks_max: int = Field(20, ge=1, description="blocks whose receipts one live range may ask for")
    catch_up_blocks_max: int = Field(5_000, ge=1, description="blocks of one stretch")
    catch_up_concurrency: int = Field(4, ge=1, description="stretches fetched at once, or waiting to be recorded")
    pending_blocks_max: int = Field(64, ge=1, description="blocks from the head down that are looked at before they are final")
    pending_logs_max: int = Field(1_000, ge=1, description="logs of the list of what is seen and not final")
    finality: dict[int, FinalitySettings] = Field(
        default_factory=dict, description="rules by chain id, in place of the chain's own: PAIMON_CHAIN__FINALITY__56__DEPTH"
    )

    @property
    def endpoints(self) -> list[EndpointSettings]:
        """All of them, `rpc_url` first."""
        further = _endpoints(self.extra_rpc_urls.get_secret_value()) if self.extra_rpc_urls else []
        return [EndpointSettings(self.rpc_url, _uses(self.rpc_uses)), *further]

    @model_validator(mode="after")
    def _endpoints_differ_and_serve_all(self) -> Self:
        hosts = [each.host for each in self.endpoints]
        if twice := sorted({each for each in hosts if hosts.count(each) > 1}):
            raise ValueError(
                f"RPC_URL and EXTRA_RPC_URLS name {', '.join(twice)} twice: endpoints are told apart by host and port, and two"
                " at one provider are no second opinion"
            )
        for use in (EndpointUse.READ, EndpointUse.WRITE):
            if not any(use in each.uses for each in self.endpoints):
                raise ValueError(f"no endpoint is for {use.value}: RPC_USES or EXTRA_RPC_URLS must name one")
        return self
