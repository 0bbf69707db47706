"""The signer's policy: what it may sign. It is a TOML file of the signer, which the application cannot reach.

    chain_id = 31337
    # finality = {depth = 64}                    # instead of the chain's own rule, as PAIMON_CHAIN__FINALITY__…
    rpc_url = "http://127.0.0.1:8545"
    extra_rpc_urls = ["https://…"]               # of other providers: what most of the endpoints say counts
    socket = "signer.sock"                       # paths are relative to this file
    ledger = "spend-ledger.sqlite"
    counter = "spend-ledger.counter"             # belongs on another disk than the ledger
    signature_age_hours_max = 72                 # of votes and plans, counted from their expiry
    # metrics_port = 9104                        # serves GET /metrics, on 127.0.0.1 only

    [callers]                                    # who may ask, and over which link: caller_policy.py has both tables
    users = ["paimon-worker"]
    group = "paimon-signer"

    [contracts]
    vault = "0x…"
    redemption_manager = "0x…"
    asset_controller = "0x…"

    [caps]                                       # of every transaction
    gas_limit_max = 3000000
    fee_wei_max = 100000000000                   # per gas
    gas_wei_per_day_max = 1000000000000000000    # the most that a key's gas of 24 hours may cost

    [approvals]                                  # votes an approval needs, by the request's channel
    STANDARD = 1
    EMERGENCY = 1
    deadline_hours_max = 24                      # the longest deadline of a ticket in the application's settings
    # voters = ["0x…"]                           # only these may vote; without it, every holder of the role on chain

    [kms]                                        # only when a key is in KMS
    region = "eu-central-1"
    # endpoint_url = "https://…"                 # a private endpoint, if any

    [[keys]]
    name = "keeper"
    address = "0x…"                              # compared with the address of the key itself
    keystore = "keeper.json"                     # either an encrypted file and its password …
    password_file = "keeper.password"
    functions = ["settleRedemption", "settleScheduledRedemption"]

    [[keys]]
    name = "approver"
    address = "0x…"
    kms_key = "arn:aws:kms:…"                    # … or a key in AWS KMS, by ARN, id or alias …
    # gcp_key_version = "projects/…"             # … or a key version in Google Cloud KMS
    functions = ["approveRedemption", "rejectRedemption"]

    [[keys]]
    name = "hot"
    address = "0x…"
    kms_key = "arn:aws:kms:…"
    functions = ["allocateToLayer", "purchaseAsset", "redeemAsset", "rebalanceBuffer"]
    plan_limit = 10000                           # USDT: a plan stays below it …
    day_limit = 500000                           # … and 24 hours together reach at most this limit

    [[plan_signers]]                             # whose signature over a plan lets the hot key make its calls
    name = "otto"
    address = "0x…"

    [[plan_signers]]
    name = "planner"                             # the process `paimon planner`, with limits of its own for the hot key
    address = "0x…"
    plan_limit = 5000
    day_limit = 100000

    [[safes]]                                    # what a key with execTransaction may execute for a Safe
    name = "warm"
    address = "0x…"
    functions = ["allocateToLayer", "purchaseAsset", "redeemAsset", "rebalanceBuffer", "executeWaterfallLiquidation",
                 "createOTCOrder", "executeOTCPayment", "confirmOTCDelivery"]
    plan_limit = 100000
    day_limit = 2000000

    [[safes]]
    name = "cold"                                # no functions and no limits: any call of the three contracts
    address = "0x…"

Only its owner may read the file: it has the node's URL, which is often a secret, and says what the keys may do.
"""

import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import RawAmount
from paimon.domain.redemption.request import RedemptionChannel
from paimon.domain.transaction.safe_transaction import MULTI_SEND
from paimon.domain.transaction.spending_limit import SpendingLimit
from paimon.gateway.signer.caller_policy import CallersTable, TlsTable
from paimon.infrastructure.blockchain.contracts.fund import FundAddresses
from paimon.infrastructure.keys.keystore import KeystoreError, read_private
from paimon.settings import ChecksumAddress, FinalitySettings


class PolicyError(Exception):
    """The policy file cannot be used. The message names the field and what it should hold."""


class SignableFunction(StrEnum):
    """The functions that this version has rules for. A policy can allow no others."""

    SETTLE = "settleRedemption"
    SETTLE_SCHEDULED = "settleScheduledRedemption"
    APPROVE = "approveRedemption"
    REJECT = "rejectRedemption"
    ALLOCATE = "allocateToLayer"
    PURCHASE = "purchaseAsset"
    REDEEM = "redeemAsset"
    REBALANCE_BUFFER = "rebalanceBuffer"
    WATERFALL = "executeWaterfallLiquidation"
    CREATE_OTC = "createOTCOrder"
    PAY_OTC = "executeOTCPayment"
    CONFIRM_OTC = "confirmOTCDelivery"
    EXECUTE = "execTransaction"


MONEY_FUNCTIONS: Final = frozenset(
    {
        SignableFunction.ALLOCATE,
        SignableFunction.PURCHASE,
        SignableFunction.REDEEM,
        SignableFunction.REBALANCE_BUFFER,
    }
)
"""Functions that move the fund's money. A key with one of them has limits."""

SAFE_MONEY_FUNCTIONS: Final = MONEY_FUNCTIONS | {
    SignableFunction.WATERFALL,
    SignableFunction.CREATE_OTC,
    SignableFunction.PAY_OTC,
    SignableFunction.CONFIRM_OTC,
}
"""The functions that a Safe with limits may call."""


PLAN_LIMIT_MAX: Final = 50_000
"""A plan above this amount needs a ticket with votes. A key's plan carries none, so a Safe must make it.

In whole units of the vault's asset. Source: docs/concepts/fund.md, "Wallets and their limits".
"""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ContractsTable(_Table):
    vault: ChecksumAddress
    redemption_manager: ChecksumAddress
    asset_controller: ChecksumAddress
    multi_send: ChecksumAddress = MULTI_SEND
    """MultiSendCallOnly, the only code a Safe may delegate to."""

    def addresses(self) -> FundAddresses:
        return FundAddresses(self.vault, self.redemption_manager, self.asset_controller)


class CapsTable(_Table):
    gas_limit_max: int = Field(3_000_000, ge=21_000)
    fee_wei_max: int = Field(100 * 10**9, ge=0)
    gas_wei_per_day_max: int = Field(10**18, gt=0, description="of one key; the most that the gas of 24 hours may cost")


class ApprovalsTable(_Table):
    STANDARD: int = Field(1, ge=1)
    EMERGENCY: int = Field(1, ge=1)
    deadline_hours_max: int = Field(24, ge=1, description="the longest deadline of a ticket in the application's settings")
    voters: frozenset[ChecksumAddress] | None = Field(None, description="who may vote; None: every holder of the role on chain")

    def required(self, channel: RedemptionChannel) -> int | None:
        """Return the number of votes; None for a channel that never needs an approval, so that none is signed."""
        return {RedemptionChannel.STANDARD: self.STANDARD, RedemptionChannel.EMERGENCY: self.EMERGENCY}.get(channel)


class KmsTable(_Table):
    region: str = Field(min_length=1)
    endpoint_url: str | None = None


class GcpKmsTable(_Table):
    endpoint_url: str | None = Field(
        None,
        pattern=r"^(https://[^/]+|http://(127\.0\.0\.1|localhost|\[::1\]):\d+)$",
        description="http for a local server only",
    )


class KeyTable(_Table):
    name: str = Field(min_length=1)
    address: ChecksumAddress
    functions: frozenset[SignableFunction]
    keystore: Path | None = None
    password_file: Path | None = None
    kms_key: str | None = Field(None, min_length=1)
    gcp_key_version: str | None = Field(None, pattern=r"^projects/.+/cryptoKeys/[^/]+/cryptoKeyVersions/\d+$")
    plan_limit: int | None = Field(None, gt=0, description="in whole units of the vault's asset; a plan stays below it")
    day_limit: int | None = Field(None, gt=0, description="in whole units of the vault's asset; 24 hours reach at most it")

    @model_validator(mode="after")
    def _has_functions_of_keys(self) -> Self:
        if for_safes := self.functions & (SAFE_MONEY_FUNCTIONS - MONEY_FUNCTIONS):
            raise ValueError(f"key {self.name} may not call {', '.join(sorted(for_safes))}: only a Safe may")
        if SignableFunction.EXECUTE in self.functions and self.moves_money:
            raise ValueError(f"key {self.name} executes for Safes and moves money itself: use two keys")
        return self

    @model_validator(mode="after")
    def _has_one_key_source(self) -> Self:
        in_file = self.keystore is not None or self.password_file is not None
        if in_file and (self.keystore is None or self.password_file is None):
            raise ValueError(f"key {self.name} needs keystore and password_file together")
        if in_file + (self.kms_key is not None) + (self.gcp_key_version is not None) != 1:
            raise ValueError(f"key {self.name} needs one of these: keystore and password_file, kms_key, or gcp_key_version")
        return self

    @model_validator(mode="after")
    def _has_limits_where_it_moves_money(self) -> Self:
        has_limits = (self.plan_limit is not None, self.day_limit is not None)
        if has_limits != (self.moves_money, self.moves_money):
            rule = "needs plan_limit and day_limit" if self.moves_money else "moves no money and has no limits"
            raise ValueError(f"key {self.name} {rule}")
        if self.plan_limit is not None and self.plan_limit > PLAN_LIMIT_MAX:
            raise ValueError(
                f"key {self.name}: plan_limit is at most {PLAN_LIMIT_MAX}; a larger plan needs votes, so a Safe must make it"
            )
        return self

    @property
    def source(self) -> str:
        """Name where the key is kept."""
        if self.keystore is not None:
            return f"keystore {self.keystore}"
        return f"KMS key {self.kms_key}" if self.kms_key is not None else f"Google Cloud KMS key {self.gcp_key_version}"

    @property
    def moves_money(self) -> bool:
        return bool(self.functions & MONEY_FUNCTIONS)

    def limit(self, decimals: int) -> SpendingLimit | None:
        """Return the key's limits in raw units of the vault's asset; None for a key without limits."""
        return _limit(self.plan_limit, self.day_limit, decimals)


class PlanSignerTable(_Table):
    """A person or the planner, who signs the plans that a key carries out."""

    name: str = Field(min_length=1)
    address: ChecksumAddress
    plan_limit: int | None = Field(None, gt=0, description="as for a key; counts this signer's plans of the key only")
    day_limit: int | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _is_limited_or_not(self) -> Self:
        if (self.plan_limit is None) != (self.day_limit is None):
            raise ValueError(f"plan signer {self.name} needs plan_limit and day_limit together, or none of them")
        return self

    def limit(self, decimals: int) -> SpendingLimit | None:
        return _limit(self.plan_limit, self.day_limit, decimals)


class SafeTable(_Table):
    name: str = Field(min_length=1)
    address: ChecksumAddress
    functions: frozenset[SignableFunction] | None = None
    plan_limit: int | None = Field(None, gt=0, description="as for a key")
    day_limit: int | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _is_limited_or_not(self) -> Self:
        limited = self.functions is not None
        if (self.plan_limit is not None, self.day_limit is not None) != (limited, limited):
            raise ValueError(f"Safe {self.name} needs functions, plan_limit and day_limit together, or none of them")
        if self.functions is not None and not self.functions <= SAFE_MONEY_FUNCTIONS:
            raise ValueError(f"Safe {self.name} may have {', '.join(sorted(SAFE_MONEY_FUNCTIONS))}, and no other functions")
        return self

    def limit(self, decimals: int) -> SpendingLimit | None:
        return _limit(self.plan_limit, self.day_limit, decimals)


def _limit(plan: int | None, day: int | None, decimals: int) -> SpendingLimit | None:
    if plan is None or day is None:
        return None
    return SpendingLimit(RawAmount(plan * 10**decimals), RawAmount(day * 10**decimals))


class SignerPolicy(_Table):
    chain_id: int
    finality: FinalitySettings | None = None
    rpc_url: SecretStr
    extra_rpc_urls: tuple[SecretStr, ...] = ()
    socket: Path | None = None
    ledger: Path = Path("spend-ledger.sqlite")
    counter: Path = Path("spend-ledger.counter")
    signature_age_hours_max: int = Field(72, ge=1)
    contracts: ContractsTable
    keys: tuple[KeyTable, ...] = Field(min_length=1)
    plan_signers: tuple[PlanSignerTable, ...] = ()
    safes: tuple[SafeTable, ...] = ()
    caps: CapsTable = CapsTable()
    approvals: ApprovalsTable = ApprovalsTable()
    kms: KmsTable | None = None
    gcp_kms: GcpKmsTable = GcpKmsTable()
    callers: CallersTable = CallersTable()
    tls: TlsTable | None = None
    metrics_port: int | None = Field(None, ge=1, le=65_535)
    rpc_timeout_seconds: float = Field(3.0, gt=0)
    rpc_attempts_max: int = Field(2, ge=1)

    @property
    def finality_rules(self) -> dict[int, FinalitySettings]:
        """The finality rule that replaces the chain's own, if the policy has one."""
        return {} if self.finality is None else {self.chain_id: self.finality}

    @model_validator(mode="after")
    def _has_callers(self) -> Self:
        if self.socket is None and self.tls is None:
            raise ValueError(
                "no process could ask this signer: state a socket, or a table [tls] for callers on another machine"
            )
        if (self.socket is None) != self.callers.is_empty:
            raise ValueError(
                "a socket needs a table [callers] that says who may ask over it, and the table needs a socket:"
                ' users = ["paimon-worker"], group = "paimon-signer"'
            )
        return self

    @model_validator(mode="after")
    def _keys_differ(self) -> Self:
        for field in ("name", "address"):
            if len({getattr(key, field) for key in self.keys}) != len(self.keys):
                raise ValueError(f"two keys have the same {field}")
        if self.kms is None and any(key.kms_key is not None for key in self.keys):
            raise ValueError("a key is in KMS: state its region in a table [kms]")
        return self

    @model_validator(mode="after")
    def _safes_differ(self) -> Self:
        for field in ("name", "address"):
            if len({getattr(safe, field) for safe in self.safes}) != len(self.safes):
                raise ValueError(f"two Safes have the same {field}")
        # The ledger counts by the executing key, so a second Safe with limits would share the first one's day limit.
        if sum(safe.functions is not None for safe in self.safes) > 1:
            raise ValueError("at most one Safe has limits")
        return self

    @model_validator(mode="after")
    def _plan_signers_are_people(self) -> Self:
        for field in ("name", "address"):
            if len({getattr(signer, field) for signer in self.plan_signers}) != len(self.plan_signers):
                raise ValueError(f"two plan signers have the same {field}")
        if any(self.key(signer.address) is not None for signer in self.plan_signers):
            raise ValueError("a plan signer is none of this signer's own keys")
        if any(key.moves_money for key in self.keys) and not self.plan_signers:
            raise ValueError("a key moves money: name in [[plan_signers]] whose signed plans it carries out")
        return self

    @model_validator(mode="after")
    def _signatures_outlive_deadlines(self) -> Self:
        if self.signature_age_hours_max < self.approvals.deadline_hours_max:
            raise ValueError(
                f"signature_age_hours_max is {self.signature_age_hours_max}, below the longest deadline of a ticket"
                f" ({self.approvals.deadline_hours_max} hours): votes in time would be refused"
            )
        return self

    @property
    def rpc_urls(self) -> tuple[str, ...]:
        return tuple(url.get_secret_value() for url in (self.rpc_url, *self.extra_rpc_urls))

    def plan_signer(self, address: Address) -> PlanSignerTable | None:
        return next((signer for signer in self.plan_signers if signer.address == address), None)

    def safe(self, address: Address) -> SafeTable | None:
        return next((safe for safe in self.safes if safe.address == address), None)

    def key(self, address: Address) -> KeyTable | None:
        return next((key for key in self.keys if key.address == address), None)


def load_policy(path: Path) -> SignerPolicy:
    """Load the policy from the file and make its paths absolute.

    Raises:
        PolicyError: the file is unreadable, readable by others, or no TOML; or a field is missing, wrong or unknown.
    """
    try:
        document = tomllib.loads(read_private(path))
    except KeystoreError as error:
        raise PolicyError(f"signer policy: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(f"signer policy {path} is not TOML: {error}") from error
    try:
        policy = SignerPolicy.model_validate(document)
    except ValidationError as error:
        problems = [
            f"  {'.'.join(str(part) for part in problem['loc']) or 'file'}: {problem['msg']}"
            for problem in error.errors(include_input=False)
        ]
        raise PolicyError(f"signer policy {path} is incomplete or wrong:\n" + "\n".join(problems)) from None
    folder = path.absolute().parent
    keys = tuple(key.model_copy(update=_absolute(key, folder)) for key in policy.keys)
    return policy.model_copy(
        update={
            "socket": None if policy.socket is None else folder / policy.socket,
            "ledger": folder / policy.ledger,
            "counter": folder / policy.counter,
            "keys": keys,
            "tls": None if policy.tls is None else policy.tls.in_folder(folder),
        }
    )


def _absolute(key: KeyTable, folder: Path) -> dict[str, Path]:
    return {name: folder / path for name in ("keystore", "password_file") if (path := getattr(key, name)) is not None}
