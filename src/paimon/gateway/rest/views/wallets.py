"""JSON shapes of sending wallets, with the chain state that their drivers last recorded."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self

from pydantic import Field

from paimon.application.transactions.operator.queries import RecordedAction
from paimon.application.transactions.queries import LastError, WalletSummary
from paimon.domain.transaction.lifecycle import WalletName
from paimon.gateway.rest.schema import AddressText, ApiModel, BigInt, Time
from paimon.gateway.rest.views.operator_actions import ActionDocuments, OperatorActionView


class WalletChainStateView(ApiModel):
    """The account's state on chain when the driver last read it."""

    at: Time
    age_seconds: int
    block: int = Field(description="the final block then")
    latest_nonce: int = Field(description="the account's nonce at the latest block")
    final_nonce: int = Field(description="the account's nonce at the final block")
    balance_wei: BigInt


class LastErrorView(ApiModel):
    """The node's error that keeps the driver from finishing its work on a wallet or a Safe."""

    since: Time = Field(description="when the present run of failures began")
    message: str

    @classmethod
    def of(cls, error: LastError | None) -> Self | None:
        return None if error is None else cls(since=error.at, message=error.message)


class SendingWalletView(ApiModel):
    """A wallet that sends transactions."""

    address: AddressText
    name: WalletName
    next_nonce: int = Field(description="one more than the highest nonce ever signed for")
    in_flight_nonces: list[int] = Field(description="nonces with a signed transaction that is not final")
    missing_nonces: list[int] = Field(
        description="gaps: nonces assigned, not used on chain and without an attempt; always empty unless there is a defect"
    )
    open_intents: int
    account_state: WalletChainStateView | None
    low_balance_wei: BigInt
    low_gas: bool
    fault: str | None = Field(description="stays until an operator clears it")
    last_error: LastErrorView | None = Field(description="clears by itself when the node answers again")

    @classmethod
    def of(cls, wallet: WalletSummary, *, low_balance_wei: int, now: datetime) -> Self:
        return cls(**_fields(wallet, low_balance_wei=low_balance_wei, now=now))


class WalletDetailView(SendingWalletView):
    """A sending wallet, the operator actions on its fault, and the documents of the actions possible now."""

    actions: list[OperatorActionView]
    signing: ActionDocuments

    @classmethod
    def of_detail(
        cls,
        wallet: WalletSummary,
        actions: Sequence[RecordedAction],
        signing: ActionDocuments,
        *,
        low_balance_wei: int,
        now: datetime,
    ) -> Self:
        fields = _fields(wallet, low_balance_wei=low_balance_wei, now=now)
        return cls(**fields, actions=[OperatorActionView.of(action) for action in actions], signing=signing)


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
