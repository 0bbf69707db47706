"""The signer's policy: what it may sign. It is a TOML file of the signer, which the application cannot reach.

    chain_id = 31337
    # finality = {depth = 64}                    # instead of the chain's own rule, as PAIMON_CHAIN__FINALITY__…
    rpc_url = "http://127.0.0.1:8545"
    extra_rpc_urls = ["https://…"]               # of other providers: what most of the endpoints say counts
    socket = "signer.sock"                       # paths are relative to this file
    ledger = "spend-ledger.sqlite"
    counter = "/var/lib/…/spend-ledger.counter"  # on another disk than the ledger; in its folder the signer warns
    only_signer = true                           # no second signer has a key that moves money; else a table [leases]
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
    plan_limit = 10000                           # of the plans that this signer signs, within the key's own limits
    day_limit = 250000

    [[plan_signers]]
    name = "planner"                             # the process `paimon planner`
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
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails

from paimon.domain.kernel.chain import Address
from paimon.gateway.signer.caller_policy import CallersTable, TlsTable
from paimon.gateway.signer.policy_tables import (
    ApprovalsTable,
    CapsTable,
    ContractsTable,
    GcpKmsTable,
    KeyTable,
    KmsTable,
    LeasesTable,
    PlanSignerTable,
    PolicyTable,
    SafeTable,
)
from paimon.infrastructure.keys.keystore import KeystoreError, read_private
from paimon.settings import FinalitySettings


class PolicyError(Exception):
    """The policy file cannot be used. The message names the field and what it should hold."""


class SignerPolicy(PolicyTable):
    chain_id: int
    finality: FinalitySettings | None = None
    rpc_url: SecretStr
    extra_rpc_urls: tuple[SecretStr, ...] = ()
    socket: Path | None = None
    ledger: Path = Path("spend-ledger.sqlite")
    counter: Path = Path("spend-ledger.counter")
    only_signer: bool = Field(False, description="an operator's word that no second signer has these keys, instead of [leases]")
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
    leases: LeasesTable | None = None
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
    def _is_the_only_signer_or_holds_leases(self) -> Self:
        if self.only_signer and self.leases is not None:
            raise ValueError("only_signer = true says that no second signer has these keys, [leases] is for several: state one")
        moves_money = any(key.moves_money for key in self.keys) or any(safe.functions is not None for safe in self.safes)
        if moves_money and not self.only_signer and self.leases is None:
            raise ValueError(
                "a key moves money, and a second signer with it would give the limits twice: add the table [leases] if another"
                " signer has the key, or state only_signer = true if none has"
            )
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
        lines = "\n".join(_problem_lines(error.errors(include_input=False)))
        raise PolicyError(f"signer policy {path} is incomplete or wrong:\n{lines}") from None
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


def _problem_lines(problems: Sequence[ErrorDetails]) -> Iterator[str]:
    """Yield one line for each field. A list is called too short only if nothing in it is wrong: a wrong item is not counted."""
    for problem in problems:
        place = problem["loc"]
        is_explained = any(other["loc"][: len(place)] == place and other is not problem for other in problems)
        if not (problem["type"] == "too_short" and is_explained):
            yield f"  {'.'.join(map(str, place)) or 'file'}: {problem['msg'].removeprefix('Value error, ')}"


def _absolute(key: KeyTable, folder: Path) -> dict[str, Path]:
    return {name: folder / path for name in ("keystore", "password_file") if (path := getattr(key, name)) is not None}
