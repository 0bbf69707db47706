"""The tables of the signer's policy: what each says, and what it may not say. policy.py has the file as a whole."""

from enum import StrEnum
from pathlib import Path
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from paimon.domain.kernel.units import RawAmount
from paimon.domain.redemption.request import RedemptionChannel
from paimon.domain.transaction.safe_transaction import MULTI_SEND
from paimon.domain.transaction.spending_limit import SpendingLimit
from paimon.infrastructure.blockchain.contracts.fund import FundAddresses
from paimon.infrastructure.keys.open_key import KeySource
from paimon.settings import GCP_ENDPOINT, GCP_KEY_VERSION, ChecksumAddress


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


PLAN_LIMIT_MAX: Final = 10_000
"""From this amount on a person's plan needs votes. A key's plan carries none, so a Safe must make it.

In whole units of the vault's asset. Source: docs/concepts/fund.md, "Wallets and their limits"; the rules `small_plan` and
`MANUAL_OPERATION` of domain/approval/first_policy.py.
"""


class PolicyTable(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ContractsTable(PolicyTable):
    vault: ChecksumAddress
    redemption_manager: ChecksumAddress
    asset_controller: ChecksumAddress
    multi_send: ChecksumAddress = MULTI_SEND
    """MultiSendCallOnly, the only code a Safe may delegate to."""

    def addresses(self) -> FundAddresses:
        return FundAddresses(self.vault, self.redemption_manager, self.asset_controller)


class CapsTable(PolicyTable):
    gas_limit_max: int = Field(3_000_000, ge=21_000)
    fee_wei_max: int = Field(100 * 10**9, ge=0)
    gas_wei_per_day_max: int = Field(10**18, gt=0, description="of one key; the most that the gas of 24 hours may cost")


class ApprovalsTable(PolicyTable):
    STANDARD: int = Field(1, ge=1)
    EMERGENCY: int = Field(1, ge=1)
    deadline_hours_max: int = Field(24, ge=1, description="the longest deadline of a ticket in the application's settings")
    voters: frozenset[ChecksumAddress] | None = Field(None, description="who may vote; None: every holder of the role on chain")

    def required(self, channel: RedemptionChannel) -> int | None:
        """Return the number of votes; None for a channel that never needs an approval, so that none is signed."""
        return {RedemptionChannel.STANDARD: self.STANDARD, RedemptionChannel.EMERGENCY: self.EMERGENCY}.get(channel)


class KmsTable(PolicyTable):
    region: str = Field(min_length=1)
    endpoint_url: str | None = None


class GcpKmsTable(PolicyTable):
    endpoint_url: str | None = Field(None, pattern=GCP_ENDPOINT, description="http for a local server only")


class LeasesTable(PolicyTable):
    """Leases of the keys in a database that signers on several machines reach. Without it, the ledger's file is the lease."""

    database_url: SecretStr = Field(description="of the role `signer`, which may write its leases and nothing else")
    ttl_seconds: float = Field(10.0, gt=0, description="how long after a signer died another one takes its place")
    renew_seconds: float = Field(3.0, gt=0)

    @field_validator("database_url")
    @classmethod
    def _is_for_psycopg(cls, url: SecretStr) -> SecretStr:
        if not url.get_secret_value().startswith("postgresql+psycopg://"):
            raise ValueError("a database's URL begins with postgresql+psycopg://")
        return url

    @model_validator(mode="after")
    def _renewed_in_time(self) -> Self:
        if self.renew_seconds >= self.ttl_seconds:
            raise ValueError("renew_seconds must be below ttl_seconds, or every lease runs out before it is renewed")
        return self


class KeyTable(PolicyTable):
    name: str = Field(min_length=1)
    address: ChecksumAddress
    functions: frozenset[SignableFunction]
    keystore: Path | None = None
    password_file: Path | None = None
    kms_key: str | None = Field(None, min_length=1)
    gcp_key_version: str | None = Field(None, pattern=GCP_KEY_VERSION)
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
        if (needed := self.source.fault) is not None:
            raise ValueError(f"key {self.name} needs {needed}")
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
    def source(self) -> KeySource:
        return KeySource(self.keystore, self.password_file, self.kms_key, self.gcp_key_version)

    @property
    def moves_money(self) -> bool:
        return bool(self.functions & MONEY_FUNCTIONS)

    def limit(self, decimals: int) -> SpendingLimit | None:
        """Return the key's limits in raw units of the vault's asset; None for a key without limits."""
        return _limit(self.plan_limit, self.day_limit, decimals)


class PlanSignerTable(PolicyTable):
    """A person or the planner, who signs the plans that a key carries out. Each has limits: one signer is not the whole key."""

    name: str = Field(min_length=1)
    address: ChecksumAddress
    plan_limit: int = Field(gt=0, description="as for a key; counts this signer's plans of the key only")
    day_limit: int = Field(gt=0)

    def limit(self, decimals: int) -> SpendingLimit:
        return SpendingLimit(RawAmount(self.plan_limit * 10**decimals), RawAmount(self.day_limit * 10**decimals))


class SafeTable(PolicyTable):
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
