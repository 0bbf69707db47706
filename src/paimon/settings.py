"""Every figure an operator can change, in one typed object read from the environment (`PAIMON_…`, nested by `__`).

`PAIMON_ENV_FILE` (or `paimon --env-file`) names a file of the same variables; the environment wins over the file.
Secrets are `SecretStr`, so that neither a log nor a traceback shows them.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableSetting

from paimon.domain.approval import ApprovalPolicy, TicketRule, TicketType
from paimon.domain.chain import Address, checksum, parse_address
from paimon.domain.endpoint_health import Use
from paimon.domain.finality import FinalityRule, FinalityTag
from paimon.domain.nav import MATERIAL
from paimon.domain.safe import MULTI_SEND
from paimon.domain.spending import SpendingLimit
from paimon.domain.transaction import WalletName
from paimon.domain.units import Bps, RawAmount


class Refusal(Exception):
    """Ends a process on purpose. The message tells the person who started it what is wrong and what would be right."""


class SettingsError(Refusal):
    """A setting is missing or wrong; the message names the variable and what it should hold."""


def _address(value: object) -> Address:
    return Address(value) if isinstance(value, bytes) else parse_address(str(value))


ChecksumAddress = Annotated[Address, BeforeValidator(_address), PlainSerializer(checksum)]
"""Given as 0x-hex, kept as 20 bytes."""


def _url(*beginnings: str) -> AfterValidator:
    """A secret URL that starts with one of these; the message does not repeat it."""

    def check(url: SecretStr) -> SecretStr:
        if not url.get_secret_value().startswith(beginnings):
            raise ValueError(f"must be a URL that starts with {' or '.join(beginnings)}")
        return url

    return AfterValidator(check)


PostgresUrl = Annotated[SecretStr, _url("postgresql+psycopg://", "postgresql://")]
RedisUrl = Annotated[SecretStr, _url("redis://", "rediss://", "unix://")]
HttpUrl = Annotated[SecretStr, _url("https://", "http://")]
Uses = Annotated[str, Field(pattern=r"^(read|write|archive)(,(read|write|archive))*$")]
WebSocketUrl = Annotated[SecretStr, _url("wss://", "ws://")]


class EndpointSettings(NamedTuple):
    """One RPC endpoint and what it is for."""

    url: SecretStr
    uses: frozenset[Use]

    @property
    def host(self) -> str:
        return urlsplit(self.url.get_secret_value()).netloc.rpartition("@")[2]


def _uses(text: str) -> frozenset[Use]:
    return frozenset(Use(each) for each in text.split(","))


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


def _readable_endpoints(text: SecretStr) -> SecretStr:
    _endpoints(text.get_secret_value())
    return text


MoreUrls = Annotated[SecretStr, AfterValidator(_readable_endpoints)]


class Group(BaseModel):
    """Settings that belong together. A mistyped variable is refused: ignored, it would leave its default in force."""

    model_config = ConfigDict(extra="forbid")


class DatabaseSettings(Group):
    url: PostgresUrl = Field(description="as the application's role: postgresql+psycopg://app@host/paimon")
    owner_url: PostgresUrl | None = Field(None, description="as the owner of the tables; only `paimon db` uses it")
    read_url: PostgresUrl | None = Field(None, description="a replica for reads; the same as url when absent")
    pool_size: int = Field(5, ge=1, le=100)
    connect_timeout_seconds: int = Field(5, ge=1)


class RedisSettings(Group):
    url: RedisUrl = Field(description="redis://:password@host:port/0; broker, cache and live messages")


class FinalitySettings(Group):
    """When a block of one chain is final. A tag and a depth together: whichever is later. See domain/finality.py."""

    tag: FinalityTag | None = Field(None, description="the node's own word")
    depth: int | None = Field(None, ge=1, description="so many blocks below the head")
    turn_length: int | None = Field(None, ge=1, description="of BSC: 11 turns below the head where a node lacks the tag")
    accept_looser: bool = Field(False, description="yes, final may be earlier than by the chain's own rule")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.tag is None and self.depth is None and self.turn_length is None:
            raise ValueError("a rule needs a TAG, a DEPTH or a TURN_LENGTH")
        if self.turn_length is not None and self.tag is FinalityTag.SAFE:
            raise ValueError("TURN_LENGTH stands in for the tag `finalized`; it does not go with another")
        return self

    @property
    def rule(self) -> FinalityRule:
        tag = FinalityTag.FINALIZED if self.turn_length is not None else self.tag
        return FinalityRule(tag, self.depth, self.turn_length)


class ChainSettings(Group):
    chain_id: int = Field(description="56 BSC, 97 BSC testnet, 31337 local; refused when the node says another")
    rpc_url: HttpUrl
    rpc_uses: Uses = Field("read,write", description="of rpc_url: read, write and archive, separated by commas")
    more_rpc_urls: MoreUrls | None = Field(
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
    live_blocks: int = Field(
        256,
        ge=0,
        description="so far below the final block every header is asked for, and nothing but receipts is taken as proof;"
        " farther, whole stretches are fetched at once and ahead",
    )
    receipts_blocks_max: int = Field(20, ge=1, description="blocks whose receipts one live range may ask for")
    catch_up_blocks_max: int = Field(5_000, ge=1, description="blocks of one stretch")
    catch_up_at_once: int = Field(4, ge=1, description="stretches fetched at once, or waiting to be recorded")
    unfinal_blocks_max: int = Field(64, ge=1, description="blocks from the head down that are looked at before they are final")
    unfinal_logs_max: int = Field(1_000, ge=1, description="logs of the list of what is seen and not final")
    finality: dict[int, FinalitySettings] = Field(
        default_factory=dict, description="rules by chain id, in place of the chain's own: PAIMON_CHAIN__FINALITY__56__DEPTH"
    )

    @property
    def endpoints(self) -> list[EndpointSettings]:
        """All of them, `rpc_url` first."""
        further = _endpoints(self.more_rpc_urls.get_secret_value()) if self.more_rpc_urls else []
        return [EndpointSettings(self.rpc_url, _uses(self.rpc_uses)), *further]

    @model_validator(mode="after")
    def _endpoints_differ_and_serve_all(self) -> Self:
        hosts = [each.host for each in self.endpoints]
        if twice := sorted({each for each in hosts if hosts.count(each) > 1}):
            raise ValueError(
                f"RPC_URL and MORE_RPC_URLS name {', '.join(twice)} twice: endpoints are told apart by host and port, and two"
                " at one provider are no second opinion"
            )
        for use in (Use.READ, Use.WRITE):
            if not any(use in each.uses for each in self.endpoints):
                raise ValueError(f"no endpoint is for {use.value}: RPC_USES or MORE_RPC_URLS must name one")
        return self


class FundSettings(Group):
    vault: ChecksumAddress
    redemption_manager: ChecksumAddress
    asset_controller: ChecksumAddress
    start_block: int = Field(ge=1, description="the block the first of the three contracts was deployed in")
    otc_manager_abi: Path | None = Field(
        None, description="JSON file of the OTC manager's ABI where it is not the shipped one: its indexing varies"
    )


class ApprovalRuleSettings(Group):
    required_approvals: int = Field(1, ge=1)
    warn_seconds: int
    escalate_seconds: int
    deadline_seconds: int


_HOUR = 3600


class ApprovalSettings(Group):
    """Source of the defaults: docs/fund.md, "Approvals"."""

    policy_version: int = 1
    vote_ttl_seconds_max: int = Field(300, ge=1, description="how far ahead a vote's expiry may lie")
    emergency: ApprovalRuleSettings = ApprovalRuleSettings(
        warn_seconds=2 * _HOUR, escalate_seconds=3 * _HOUR, deadline_seconds=4 * _HOUR
    )
    standard: ApprovalRuleSettings = ApprovalRuleSettings(
        warn_seconds=12 * _HOUR, escalate_seconds=18 * _HOUR, deadline_seconds=24 * _HOUR
    )

    def policy(self) -> ApprovalPolicy:
        return ApprovalPolicy(
            self.policy_version,
            {
                TicketType.EMERGENCY_REDEMPTION: TicketRule(**self.emergency.model_dump()),
                TicketType.STANDARD_REDEMPTION: TicketRule(**self.standard.model_dump()),
            },
        )


class AuthSettings(Group):
    token_secret: SecretStr = Field(min_length=32, description="signs access tokens; the same on every API replica")
    domain: str = Field("localhost", description="the host a sign-in message names")
    uri: str = "http://localhost"
    challenge_ttl_seconds: int = 300
    access_token_ttl_seconds: int = 900


class ApiSettings(Group):
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65_535)
    page_size_default: int = 20
    page_size_max: int = 100
    body_bytes_max: int = 64 * 1024
    csv_rows_max: int = Field(100_000, ge=1, description="rows of one CSV; more are refused, so that none is cut short")
    csv_seconds_max: float = Field(120.0, gt=0, description="a reader who takes longer over a CSV is cut off")
    csv_files_max: int = Field(
        3, ge=1, description="CSVs written at one time; each holds one of the pool's sessions as long as its reader takes"
    )
    ws_queue_max: int = Field(256, description="messages a WebSocket client may lag behind before it is dropped")
    ws_auth_timeout_seconds: float = 10.0


class SignerSettings(Group):
    """Where the signer listens, for its callers. What it may sign is in a file of its own (`paimon signer --policy`)."""

    socket: Path
    timeout_seconds: float = 15.0


class LowBalanceSettings(Group):
    """Wei of the native coin; a wallet with less raises LOW_GAS."""

    keeper: int = Field(5 * 10**16, ge=0)
    approver: int = Field(5 * 10**16, ge=0)
    hot: int = Field(5 * 10**16, ge=0)

    def of(self, name: str) -> int:
        """Zero, which nothing is below, for a wallet without a figure of its own."""
        return int(getattr(self, name, 0))


class WalletLimitSettings(Group):
    """Whole units of the vault's asset. The signer's policy has limits of its own, which hold whatever stands here."""

    plan: int = Field(gt=0, description="a plan stays below it")
    day: int = Field(gt=0, description="what is final within 24 hours or in flight reaches at most this")

    def in_units(self, decimals: int) -> SpendingLimit:
        return SpendingLimit(RawAmount(self.plan * 10**decimals), RawAmount(self.day * 10**decimals))


class SendingSettings(Group):
    keeper: ChecksumAddress = Field(description="address of the key that settles")
    approver: ChecksumAddress = Field(description="address of the key that sends decided approvals")
    hot: ChecksumAddress | None = Field(None, description="address of the key for small plans; without it they go to a Safe")
    warm: ChecksumAddress | None = Field(None, description="the Safe for middling plans, of version 1.4.1")
    cold: ChecksumAddress | None = Field(None, description="the Safe for everything else, the same")
    multi_send: ChecksumAddress = Field(
        MULTI_SEND,
        description="MultiSendCallOnly 1.4.1, the only code a Safe may delegate to; its usual address on every chain",
    )
    hot_limits: WalletLimitSettings = WalletLimitSettings(plan=10_000, day=500_000)
    warm_limits: WalletLimitSettings = WalletLimitSettings(plan=100_000, day=2_000_000)
    plan_seconds: int = Field(3_600, ge=60, description="what the hot key has not sent of a plan by then is given up")
    proposal_days: int = Field(7, ge=1, description="a Safe proposal takes signatures and is executed so long")
    fees: Literal["eip1559", "legacy"] = "eip1559"
    gas_margin_bps: int = Field(3_000, ge=0, description="added to the node's estimate")
    max_fee_wei: int = Field(50 * 10**9, description="never pay more per gas; above it the intent waits visibly")
    fee_bump_bps: int = Field(1_250, ge=1_000, description="raise of both fees when an attempt is replaced")
    stuck_seconds: int = Field(30, ge=1, description="broadcast but not mined for so long: replace it")
    recheck_seconds: int = Field(15, ge=1, description="next look at an intent whose simulation does not pass")
    attempts_max: int = Field(8, ge=1, description="attempts at one nonce, then a person must look")
    public_fallback: bool = Field(False, description="whether what the private endpoint does not get mined may go public")
    private_blocks: int = Field(10, ge=1, description="final blocks that the private endpoint is given for it")
    look_seconds: int = Field(15, ge=0, description="how old a wallet's balance and counts on chain may become")
    low_balance_wei: LowBalanceSettings = LowBalanceSettings()

    @model_validator(mode="after")
    def _safes_differ(self) -> Self:
        if self.warm is not None and self.warm == self.cold:
            raise ValueError("WARM and COLD must be two Safes: their owners and limits differ")
        return self

    @model_validator(mode="after")
    def _keys_differ(self) -> Self:
        if self.hot is not None and self.hot in (self.keeper, self.approver):
            raise ValueError("HOT must be a key of its own: what moves money neither settles nor approves")
        return self

    def sending_keys(self) -> dict[Address, WalletName]:
        """The keys this house sends with, by address."""
        named = {WalletName.APPROVER: self.approver, WalletName.KEEPER: self.keeper, WalletName.HOT: self.hot}
        return {address: name for name, address in named.items() if address is not None}


class QueueSettings(Group):
    relay_batch: int = Field(100, ge=1)
    relay_poll_seconds: float = Field(1.0, gt=0, description="sweep when no NOTIFY arrives")
    republish_seconds: int = Field(30, ge=1, description="enqueued but not done for so long: publish again")
    handler_attempts_max: int = Field(12, ge=1, description="then the row is dead-lettered, visibly")
    backoff_seconds_max: int = 300
    worker_concurrency: int = Field(2, ge=1)


class ScheduleSettings(Group):
    """Seconds between runs of each job."""

    settle_due_seconds: float = 10
    drive_wallets_seconds: float = 2
    observe_safes_seconds: float = 10
    snapshot_seconds: float = 60
    sla_sweep_seconds: float = 30
    reconcile_seconds: float = 3_600
    retention_seconds: float = Field(
        3_600, gt=0, description="each run looks what a day's end made due; a daily one would never come where restarts do"
    )


class NavSettings(Group):
    """Source of the threshold: decisions, "Differences"."""

    material_bps: Bps = Field(MATERIAL, ge=0, description="of net assets: from here on a difference withholds NAV")
    snapshot_pause_seconds: float = Field(5.0, gt=0, description="a burst of events gives one snapshot per pause")
    history_points_max: int = Field(2_500, ge=1, description="points of one answer; 90 days of hours are 2 160")
    explain_steps_max: int = Field(2_500, ge=1, description="snapshots one explanation may go through")


class RetentionSettings(Group):
    """Whole UTC days that the time series are kept. The database refuses to remove anything younger than the least allowed
    here, whoever asks. Source of the defaults: docs/fund.md, "Data".
    """

    daily_snapshots_days: int = Field(730, ge=90)
    asset_holdings_snapshots_days: int = Field(365, ge=30)
    event_processing_logs_days: int = Field(7, ge=1)
    compress_after_days: int = Field(
        30, ge=1, description="daily_snapshots, where TimescaleDB can; read by `paimon db upgrade`"
    )
    batch_rows_max: int = Field(5_000, ge=1, description="rows deleted in one transaction")
    batches_max: int = Field(200, ge=1, description="transactions of one run and series; the next run goes on")


class LeaseSettings(Group):
    ttl_seconds: float = Field(6.0, gt=0, description="a killed holder's successor starts after at most this long")
    renew_seconds: float = Field(2.0, gt=0)

    @model_validator(mode="after")
    def _renewed_in_time(self) -> Self:
        if self.renew_seconds >= self.ttl_seconds:
            raise ValueError("RENEW_SECONDS must be shorter than TTL_SECONDS, or every lease runs out before it is renewed")
        return self


class HealthSettings(Group):
    """From when on `/system/health` shows a part as degraded, or down. Source: docs/fund.md, "Operations"."""

    check_timeout_seconds: float = Field(2.0, gt=0, description="a part that does not answer within this is down")
    lag_warning_seconds: int = 60
    lag_critical_seconds: int = 300
    outbox_warning: int = 1_000
    outbox_critical: int = 5_000
    finality_lag_blocks: int = Field(200, ge=1, description="the final block further behind the head than this …")
    finality_lag_seconds: float = Field(120.0, gt=0, description="… or than this, in chain time, for …")
    finality_lag_lasting_seconds: float = Field(30.0, ge=0, description="… so long, is a risk event")


class MetricsSettings(Group):
    """Where each process answers `GET /metrics`: on a port of its own, away from the API's callers; without one, nowhere."""

    host: str = "127.0.0.1"
    api_port: int | None = Field(None, ge=1, le=65_535)
    listener_port: int | None = Field(None, ge=1, le=65_535)
    scheduler_port: int | None = Field(None, ge=1, le=65_535)
    worker_port: int | None = Field(
        None, ge=1, le=65_535, description="of the first of its processes; the others have the next ones"
    )


class LogSettings(Group):
    level: Literal["debug", "info", "warning", "error"] = "info"
    json_lines: bool = True


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="PAIMON_", env_nested_delimiter="__", extra="forbid", frozen=True, env_ignore_empty=True
    )

    database: DatabaseSettings
    redis: RedisSettings
    chain: ChainSettings
    fund: FundSettings
    sending: SendingSettings
    signer: SignerSettings
    auth: AuthSettings
    approval: ApprovalSettings = ApprovalSettings()
    api: ApiSettings = ApiSettings()
    queue: QueueSettings = QueueSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    nav: NavSettings = NavSettings()
    retention: RetentionSettings = RetentionSettings()
    lease: LeaseSettings = LeaseSettings()
    health: HealthSettings = HealthSettings()
    metrics: MetricsSettings = MetricsSettings()
    log: LogSettings = LogSettings()


def env_file_from(environment: Mapping[str, str]) -> Path | None:
    """The settings file `PAIMON_ENV_FILE` names, if any."""
    return Path(named) if (named := environment.get("PAIMON_ENV_FILE")) else None


def load_settings(env_file: Path | None = None, **overrides: Any) -> Settings:
    """Settings from the environment and a file.

    Raises:
        SettingsError: with one line per wrong or missing variable.
    """
    env_file = env_file or env_file_from(os.environ)
    if env_file is not None and not env_file.is_file():
        raise SettingsError(f"settings file {env_file} does not exist (PAIMON_ENV_FILE or --env-file)")
    try:
        return Settings(_env_file=env_file, **overrides)
    except ValidationError as error:
        problems = error.errors(include_input=False)
        lines = [line for each in problems for line in _explain(each["type"], each["loc"], each["msg"])]
    except UnreadableSetting as error:
        lines = [f"  {error}: a group is set by its single variables, PAIMON_GROUP__NAME"]
    raise SettingsError("settings are incomplete or wrong:\n" + "\n".join(lines))


def _explain(kind: str, location: tuple[int | str, ...], message: str) -> Iterator[str]:
    """One line per variable that is to be set, or set otherwise."""
    names = [str(part).upper() for part in location]
    if kind == "missing" and len(names) == 1:  # a whole group: name what it cannot do without
        group = Settings.model_fields[str(location[0])].annotation
        if isinstance(group, type) and issubclass(group, Group):
            for name, field in group.model_fields.items():
                if field.is_required():
                    yield f"  PAIMON_{names[0]}__{name.upper()}: {message}"
        return
    if kind == "extra_forbidden":
        message = "no such setting"
        if len(names) == 1:  # a file's variable, given by its full name
            yield f"  {names[0]}: {message}"
            return
    yield f"  PAIMON_{'__'.join(names)}: {message}"
