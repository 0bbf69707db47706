"""The transaction desk as the API shows it: sending keys as their drivers last saw them, and what people told it to do."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import Field

from paimon.application.transactions.queries import LastError, WalletSummary
from paimon.domain.kernel.chain import hex0x
from paimon.domain.transaction.lifecycle import WalletName
from paimon.domain.transaction.operator_action import ActionKind, ActionStatus
from paimon.gateway.rest.schema import AddressText, ApiModel, BigInt, HashText, Time
from paimon.gateway.rest.views.approvals import Reason, UnixSeconds
from paimon.gateway.rest.views.transactions import IntentView
from paimon.infrastructure.database.models.ops.operator_action import OperatorActionRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow


class WalletChainStateView(ApiModel):
    """What the driver saw on chain, and how long ago."""

    at: Time
    age_seconds: int
    block: int = Field(description="the final block then")
    latest_nonce: int = Field(description="nonces used at the latest block")
    final_nonce: int = Field(description="nonces used at the final block")
    balance_wei: BigInt


class LastErrorView(ApiModel):
    """What the node fails at, so that no drive of the wallet gets to its end, or a Safe is not looked at or executed."""

    since: Time
    by: str

    @classmethod
    def of(cls, interruption: LastError | None) -> Self | None:
        return None if interruption is None else cls(since=interruption.at, by=interruption.message)


class SendingWalletView(ApiModel):
    """A sending key."""

    address: AddressText
    name: WalletName
    next_nonce: int = Field(description="the counter: one more than the highest nonce ever signed for")
    in_flight_nonces: list[int] = Field(description="nonces that are signed for and not final")
    missing_nonces: list[int] = Field(
        description="gaps: nonces given out, not used on chain and without an attempt; empty, always"
    )
    open_intents: int
    account_state: WalletChainStateView | None
    low_balance_wei: BigInt
    low_gas: bool
    fault: str | None = Field(description="stays until a person has dealt with it")
    last_error: LastErrorView | None = Field(description="passes by itself when the node answers again")

    @classmethod
    def of(cls, wallet: WalletSummary, *, low_balance_wei: int, now: datetime) -> Self:
        return cls(**_fields(wallet, low_balance_wei=low_balance_wei, now=now))


def _fields(wallet: WalletSummary, *, low_balance_wei: int, now: datetime) -> dict[str, Any]:
    account_state = wallet.account_state
    return {
        "address": wallet.address,
        "name": wallet.name,
        "next_nonce": wallet.next_nonce,
        "in_flight_nonces": list(wallet.in_flight_nonces),
        "missing_nonces": list(wallet.missing_nonces),
        "open_intents": wallet.open_intents,
        "account_state": account_state
        and WalletChainStateView(
            at=account_state.at,
            age_seconds=int((now - account_state.at).total_seconds()),
            block=account_state.block,
            latest_nonce=account_state.latest_nonce,
            final_nonce=account_state.final_nonce,
            balance_wei=account_state.balance_wei,
        ),
        "low_balance_wei": low_balance_wei,
        "low_gas": account_state is not None and account_state.balance_wei < low_balance_wei,
        "fault": wallet.fault,
        "last_error": LastErrorView.of(wallet.last_error),
    }


class OperatorActionBody(ApiModel):
    """A signature over a document of `signing`, with the free parts of its message."""

    nonce: HashText = Field(description="`message.nonce` of the signed typed data")
    expires_at: UnixSeconds = Field(description="`message.expiresAt` of the signed typed data, in Unix seconds")
    reason: Reason = Field(min_length=1, description="`message.reason` as signed: why, for whoever reads of it later")
    signature: str = Field(max_length=1_000, description="65 bytes r ‖ s ‖ v as 0x-hex, by eth_signTypedData_v4")


class OperatorActionView(ApiModel):
    """What somebody told the desk, with what was signed: enough to check it without this system."""

    kind: ActionKind
    wallet: AddressText
    intent_id: UUID | None
    target: str = Field(description="the intent's key, or the trouble in its words")
    reason: str
    requested_by: AddressText
    requested_at: Time
    status: ActionStatus = Field(description="asked: the wallet's driver has not come to it yet; moot: nothing was left to do")
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
            target=deed.target,
            reason=deed.reason,
            requested_by=deed.requested_by,
            requested_at=deed.requested_at,
            status=deed.status,
            outcome=deed.outcome,
            ended_at=deed.ended_at,
            typed_data=deed.typed_data,
            signature=hex0x(deed.signature),
        )


Signing = dict[ActionKind, dict[str, Any]]
"""EIP-712 documents to sign, of the deeds that make sense now. `message.reason` is the signer's to replace before signing."""


class IntentDetailView(IntentView):
    """An intent with its transactions, what people told the desk about it, and what they could tell it now."""

    expires_at: Time | None
    deeds: list[OperatorActionView]
    signing: Signing

    @classmethod
    def of_detail(cls, intent: IntentRow, deeds: Sequence[OperatorActionRow], signing: Signing) -> Self:
        return cls(
            **IntentView.of(intent).model_dump(by_alias=False),
            expires_at=intent.expires_at,
            deeds=[OperatorActionView.of(each) for each in deeds],
            signing=signing,
        )


class WalletDetailView(SendingWalletView):
    """A sending key, what people told the desk about its trouble, and what they could tell it now."""

    deeds: list[OperatorActionView]
    signing: Signing

    @classmethod
    def of_detail(
        cls, wallet: WalletSummary, deeds: Sequence[OperatorActionRow], signing: Signing, *, low_balance_wei: int, now: datetime
    ) -> Self:
        shown = _fields(wallet, low_balance_wei=low_balance_wei, now=now)
        return cls(**shown, deeds=[OperatorActionView.of(each) for each in deeds], signing=signing)
