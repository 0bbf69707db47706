"""The transaction desk as the API shows it: sending keys as their drivers last saw them, and what people told it to do."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import Field

from paimon.application.transactions.queries import Interruption, WalletView
from paimon.domain.kernel.chain import hex0x
from paimon.domain.transaction.lifecycle import WalletName
from paimon.domain.transaction.operator_action import DeedKind, DeedState
from paimon.gateway.rest.schema import AddressText, ApiModel, BigInt, HashText, Time
from paimon.gateway.rest.views.approvals import Reason, UnixSeconds
from paimon.gateway.rest.views.transactions import IntentView
from paimon.infrastructure.database.models.ops.operator_action import OperatorActionRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow


class ChainSightView(ApiModel):
    """What the driver saw on chain, and how long ago."""

    at: Time
    age_seconds: int
    block: int = Field(description="the final block then")
    used_at_latest: int = Field(description="nonces used at the latest block")
    used_at_final: int = Field(description="nonces used at the final block")
    balance_wei: BigInt


class InterruptionView(ApiModel):
    """What the node fails at, so that no drive of the wallet gets to its end, or a Safe is not looked at or executed."""

    since: Time
    by: str

    @classmethod
    def of(cls, interruption: Interruption | None) -> Self | None:
        return None if interruption is None else cls(since=interruption.since, by=interruption.by)


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
    interrupted: InterruptionView | None = Field(description="passes by itself when the node answers again")

    @classmethod
    def of(cls, wallet: WalletView, *, low_balance_wei: int, now: datetime) -> Self:
        return cls(**_fields(wallet, low_balance_wei=low_balance_wei, now=now))


def _fields(wallet: WalletView, *, low_balance_wei: int, now: datetime) -> dict[str, Any]:
    seen = wallet.seen
    return {
        "address": wallet.address,
        "name": wallet.name,
        "next_nonce": wallet.next_nonce,
        "in_flight": list(wallet.in_flight),
        "missing": list(wallet.missing),
        "open_intents": wallet.open_intents,
        "seen": seen
        and ChainSightView(
            at=seen.at,
            age_seconds=int((now - seen.at).total_seconds()),
            block=seen.block,
            used_at_latest=seen.used_at_latest,
            used_at_final=seen.used_at_final,
            balance_wei=seen.balance_wei,
        ),
        "low_balance_wei": low_balance_wei,
        "low_gas": seen is not None and seen.balance_wei < low_balance_wei,
        "trouble": wallet.trouble,
        "interrupted": InterruptionView.of(wallet.interrupted),
    }


class DeedBody(ApiModel):
    """A signature over a document of `signing`, with the free parts of its message."""

    nonce: HashText = Field(description="`message.nonce` of the signed typed data")
    expires_at: UnixSeconds = Field(description="`message.expiresAt` of the signed typed data, in Unix seconds")
    reason: Reason = Field(min_length=1, description="`message.reason` as signed: why, for whoever reads of it later")
    signature: str = Field(max_length=1_000, description="65 bytes r ‖ s ‖ v as 0x-hex, by eth_signTypedData_v4")


class DeedView(ApiModel):
    """What somebody told the desk, with what was signed: enough to check it without this system."""

    kind: DeedKind
    wallet: AddressText
    intent_id: UUID | None
    about: str = Field(description="the intent's key, or the trouble in its words")
    reason: str
    asked_by: AddressText
    asked_at: Time
    state: DeedState = Field(description="asked: the wallet's driver has not come to it yet; moot: nothing was left to do")
    outcome: str | None
    ended_at: Time | None
    typed_data: dict[str, Any]
    signature: str

    @classmethod
    def of(cls, deed: OperatorActionRow) -> Self:
        return cls(
            kind=deed.kind,
            wallet=deed.wallet,
            intent_id=deed.intent_id,
            about=deed.about,
            reason=deed.reason,
            asked_by=deed.asked_by,
            asked_at=deed.asked_at,
            state=deed.state,
            outcome=deed.outcome,
            ended_at=deed.ended_at,
            typed_data=deed.typed_data,
            signature=hex0x(deed.signature),
        )


Signing = dict[DeedKind, dict[str, Any]]
"""EIP-712 documents to sign, of the deeds that make sense now. `message.reason` is the signer's to replace before signing."""


class IntentFileView(IntentView):
    """An intent with its transactions, what people told the desk about it, and what they could tell it now."""

    expires_at: Time | None
    deeds: list[DeedView]
    signing: Signing

    @classmethod
    def of_file(cls, intent: IntentRow, deeds: Sequence[OperatorActionRow], signing: Signing) -> Self:
        return cls(
            **IntentView.of(intent).model_dump(by_alias=False),
            expires_at=intent.expires_at,
            deeds=[DeedView.of(each) for each in deeds],
            signing=signing,
        )


class WalletFileView(SendingWalletView):
    """A sending key, what people told the desk about its trouble, and what they could tell it now."""

    deeds: list[DeedView]
    signing: Signing

    @classmethod
    def of_file(
        cls, wallet: WalletView, deeds: Sequence[OperatorActionRow], signing: Signing, *, low_balance_wei: int, now: datetime
    ) -> Self:
        shown = _fields(wallet, low_balance_wei=low_balance_wei, now=now)
        return cls(**shown, deeds=[DeedView.of(each) for each in deeds], signing=signing)
