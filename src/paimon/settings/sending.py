"""What sends transactions, and within which bounds."""

from typing import Literal, Self

from pydantic import Field, model_validator

from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.lifecycle import WalletName
from paimon.domain.transaction.safe_transaction import MULTI_SEND
from paimon.domain.transaction.spending_limit import SpendingLimit
from paimon.settings.base import ChecksumAddress, SettingsGroup


class LowBalanceSettings(SettingsGroup):
    """Wei of the native coin; a wallet with less raises LOW_GAS."""

    keeper: int = Field(5 * 10**16, ge=0)
    approver: int = Field(5 * 10**16, ge=0)
    hot: int = Field(5 * 10**16, ge=0)

    def for_wallet(self, name: str) -> int:
        """Zero, which nothing is below, for a wallet without a figure of its own."""
        return int(getattr(self, name, 0))


class WalletLimitSettings(SettingsGroup):
    """Whole units of the vault's asset. The signer's policy has limits of its own, which hold whatever stands here."""

    plan: int = Field(gt=0, description="a plan stays below it")
    day: int = Field(gt=0, description="what is final within 24 hours or in flight reaches at most this")

    def to_spending_limit(self, decimals: int) -> SpendingLimit:
        return SpendingLimit(RawAmount(self.plan * 10**decimals), RawAmount(self.day * 10**decimals))


class SendingSettings(SettingsGroup):
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
    hot_plan_ttl_seconds: int = Field(3_600, ge=60, description="what the hot key has not sent of a plan by then is given up")
    proposal_ttl_days: int = Field(7, ge=1, description="a Safe proposal takes signatures and is executed so long")
    fees: Literal["eip1559", "legacy"] = "eip1559"
    gas_margin_bps: int = Field(3_000, ge=0, description="added to the node's estimate")
    max_fee_wei: int = Field(50 * 10**9, description="never pay more per gas; above it the intent waits visibly")
    fee_bump_bps: int = Field(1_250, ge=1_000, description="raise of both fees when an attempt is replaced")
    stuck_seconds: int = Field(30, ge=1, description="broadcast but not mined for so long: replace it")
    recheck_seconds: int = Field(15, ge=1, description="next look at an intent whose simulation does not pass")
    attempts_max: int = Field(8, ge=1, description="attempts at one nonce, then a person must look")
    public_fallback: bool = Field(False, description="whether what the private endpoint does not get mined may go public")
    private_wait_blocks: int = Field(10, ge=1, description="final blocks that the private endpoint is given for it")
    wallet_refresh_seconds: int = Field(15, ge=0, description="how old a wallet's balance and counts on chain may become")
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
