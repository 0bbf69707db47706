"""The transaction desk as the API shows it: sending keys as their drivers last saw them."""

from datetime import datetime
from typing import Self

from pydantic import Field

from paimon.application.transactions.queries import WalletView
from paimon.domain.transaction import WalletName
from paimon.gateway.rest.schema import AddressText, ApiModel, BigInt, Time


class ChainSightView(ApiModel):
    """What the driver saw on chain, and how long ago."""

    at: Time
    age_seconds: int
    block: int = Field(description="the final block then")
    used_at_latest: int = Field(description="nonces used at the latest block")
    used_at_final: int = Field(description="nonces used at the final block")
    balance_wei: BigInt


class SendingWalletView(ApiModel):
    """A sending key."""

    address: AddressText
    name: WalletName
    next_nonce: int = Field(description="the counter: one more than the highest nonce ever signed for")
    in_flight: list[int] = Field(description="nonces that are signed for and not final")
    missing: list[int] = Field(description="gaps: nonces given out, not used on chain and without an attempt; empty, always")
    open_intents: int
    seen: ChainSightView | None
    low_balance_wei: BigInt
    low_gas: bool
    trouble: str | None = Field(description="stays until a person has dealt with it")

    @classmethod
    def of(cls, wallet: WalletView, *, low_balance_wei: int, now: datetime) -> Self:
        seen = wallet.seen
        return cls(
            address=wallet.address,
            name=wallet.name,
            next_nonce=wallet.next_nonce,
            in_flight=list(wallet.in_flight),
            missing=list(wallet.missing),
            open_intents=wallet.open_intents,
            seen=seen
            and ChainSightView(
                at=seen.at,
                age_seconds=int((now - seen.at).total_seconds()),
                block=seen.block,
                used_at_latest=seen.used_at_latest,
                used_at_final=seen.used_at_final,
                balance_wei=seen.balance_wei,
            ),
            low_balance_wei=low_balance_wei,
            low_gas=seen is not None and seen.balance_wei < low_balance_wei,
            trouble=wallet.trouble,
        )
