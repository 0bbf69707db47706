"""Settings of sending: wallets, spending limits and gas."""

from typing import Self

from pydantic import Field, model_validator

from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.lifecycle import WalletName
from paimon.domain.transaction.safe_transaction import MULTI_SEND
from paimon.domain.transaction.signing import GasFeeType
from paimon.domain.transaction.spending_limit import SpendingLimit
from paimon.settings.base import ChecksumAddress, SettingsGroup


class LowBalanceSettings(SettingsGroup):
    """Minimum balances for gas. A wallet below its minimum raises the risk event LOW_GAS."""

    keeper: int = Field(5 * 10**16, ge=0, description="wei of the native coin")
    approver: int = Field(5 * 10**16, ge=0, description="wei of the native coin")
    hot: int = Field(5 * 10**16, ge=0, description="wei of the native coin")

    def for_wallet(self, name: str) -> int:
        """Return the wallet's minimum; 0, which no balance is below, for a wallet without one."""
        return {"keeper": self.keeper, "approver": self.approver, "hot": self.hot}.get(name, 0)


class WalletLimitSettings(SettingsGroup):
    """Spending limits of one wallet. The signer's policy has limits of its own, which always apply too."""

    plan: int = Field(gt=0, description="whole units of the vault's asset; a plan must move less")
    day: int = Field(
        gt=0, description="whole units of the vault's asset; what is final within 24 hours or in flight is at most this"
    )

    def to_spending_limit(self, decimals: int) -> SpendingLimit:
        """Convert the limits to raw units of an asset with this many decimals."""
        return SpendingLimit(RawAmount(self.plan * 10**decimals), RawAmount(self.day * 10**decimals))


class SendingSettings(SettingsGroup):
    """Wallets that send transactions, their limits, and gas."""

    keeper: ChecksumAddress = Field(description="address of the key that settles redemptions")
    approver: ChecksumAddress = Field(description="address of the key that sends decided approvals")
    hot: ChecksumAddress | None = Field(None, description="address of the key for small plans; without it, Safes execute them")
    warm: ChecksumAddress | None = Field(None, description="address of the Safe for medium plans; Safe 1.4.1")
    cold: ChecksumAddress | None = Field(None, description="address of the Safe for all other plans; Safe 1.4.1")
    planner: ChecksumAddress | None = Field(
        None, description="address of the planner's key; a plan of the hot wallet that no person signed must be signed by it"
    )
    multi_send: ChecksumAddress = Field(
        MULTI_SEND,
        description="address of MultiSendCallOnly 1.4.1, the only code that a Safe may delegate to",
    )
    hot_limits: WalletLimitSettings = Field(
        WalletLimitSettings(plan=10_000, day=500_000), description="spending limits of the hot wallet"
    )
    warm_limits: WalletLimitSettings = Field(
        WalletLimitSettings(plan=100_000, day=2_000_000), description="spending limits of the warm Safe"
    )
    hot_plan_ttl_seconds: int = Field(
        3_600, ge=60, description="seconds after which the hot wallet aborts the calls of a plan that it has not sent"
    )
    proposal_ttl_days: int = Field(7, ge=1, description="days in which a Safe proposal is signed and executed")
    gas_fee_type: GasFeeType = Field(GasFeeType.EIP1559, description="eip1559, or legacy for a chain without base fees")
    gas_margin_bps: int = Field(3_000, ge=0, description="basis points added to the node's gas estimate")
    max_fee_wei: int = Field(50 * 10**9, description="wei per gas at most; while the price is above it, intents wait")
    fee_bump_bps: int = Field(1_250, ge=1_000, description="basis points by which a replacement raises both fees")
    stuck_seconds: int = Field(30, ge=1, description="seconds after which an unmined transaction is replaced")
    recheck_seconds: int = Field(15, ge=1, description="seconds until an intent whose simulation failed is checked again")
    attempts_max: int = Field(8, ge=1, description="attempts at one nonce, after which an operator must act")
    public_fallback: bool = Field(False, description="broadcast publicly what the private endpoint does not get mined")
    private_wait_blocks: int = Field(10, ge=1, description="final blocks to wait for the private endpoint before that")
    wallet_refresh_seconds: int = Field(
        15, ge=0, description="seconds after which a wallet's balance and nonces are read again"
    )
    low_balance_wei: LowBalanceSettings = Field(LowBalanceSettings(), description="minimum balances for gas")

    @model_validator(mode="after")
    def _safes_differ(self) -> Self:
        if self.warm is not None and self.warm == self.cold:
            raise ValueError("WARM and COLD must be two Safes: their owners and limits differ")
        return self

    @model_validator(mode="after")
    def _keys_differ(self) -> Self:
        if self.hot is not None and self.hot in (self.keeper, self.approver):
            raise ValueError("HOT must be a key of its own: the key that moves money neither settles nor approves")
        return self

    def sending_keys(self) -> dict[Address, WalletName]:
        """Return the wallets that send transactions, by address."""
        addresses = {WalletName.APPROVER: self.approver, WalletName.KEEPER: self.keeper, WalletName.HOT: self.hot}
        return {address: name for name, address in addresses.items() if address is not None}
