"""Safes and what is proposed to them, as the API shows them."""

from typing import Any, Self

from pydantic import Field

from paimon.application.transactions.multisig.describe import CallInWords
from paimon.application.transactions.multisig.queries import ProposalFile, ProposalState
from paimon.application.transactions.multisig.sign import SIGNATURE_BYTES_MAX
from paimon.application.transactions.queries import interruption_of
from paimon.domain.kernel.chain import Address, Hash32, hex0x
from paimon.domain.transaction.safe_proposal import ProposalStatus
from paimon.domain.transaction.safe_transaction import HashCard, Operation, SafeName
from paimon.gateway.rest.schema import AddressText, ApiModel, BigInt, HashText, Time
from paimon.gateway.rest.views.transactions import IntentView
from paimon.gateway.rest.views.wallets import InterruptionView
from paimon.infrastructure.database.models.ops.multisig import SafeRow


class SafeView(ApiModel):
    """A Safe as it was last seen at a final block."""

    name: SafeName
    address: AddressText
    owners: list[AddressText]
    threshold: int
    nonce: int = Field(description="the nonce it executes next")
    next_nonce: int = Field(description="the nonce the next proposal gets")
    seen_block: int
    seen_at: Time
    interrupted: InterruptionView | None = Field(description="passes by itself when the node answers again")

    @classmethod
    def of(cls, row: SafeRow) -> Self:
        return cls(
            name=row.name,
            address=row.address,
            owners=[Address(each) for each in row.owners],
            threshold=row.threshold,
            nonce=row.nonce,
            next_nonce=row.next_nonce,
            seen_block=row.seen_block,
            seen_at=row.seen_at,
            interrupted=InterruptionView.of(interruption_of(row)),
        )


class SafeCallView(ApiModel):
    """One call the Safe would make. `contract`, `function` and `arguments` are empty where the call is not the fund's."""

    to: AddressText
    value_wei: BigInt
    data: str
    contract: str | None
    function: str | None
    arguments: dict[str, Any]
    words: str

    @classmethod
    def of(cls, told: CallInWords) -> Self:
        return cls(
            to=told.call.to,
            value_wei=told.call.value_wei,
            data=hex0x(told.call.data),
            contract=told.contract,
            function=told.function,
            arguments=dict(told.arguments),
            words=told.words,
        )


class ProposalView(ApiModel):
    """A proposed transaction of a Safe. Those with one `safe` and `nonce` compete: at most one of them can be executed."""

    hash: HashText
    safe: AddressText
    safe_name: SafeName
    nonce: int
    safe_nonce: int = Field(description="it can be executed when this has reached its nonce")
    status: ProposalStatus
    interrupted: InterruptionView | None = Field(description="of its Safe; what was seen of it may be old then")
    reason: str
    proposed_by: AddressText | None = Field(description="null: this house, by a rule of its own")
    created_at: Time
    expires_at: Time
    closed_at: Time | None
    executed_tx: HashText | None = Field(description="the transaction that used the nonce, whoever sent it")
    threshold: int
    signed_by: list[AddressText] = Field(description="owners whose signature counts now")
    missing: list[AddressText] = Field(description="owners who have not signed")
    void: list[AddressText] = Field(description="who signed and owns the Safe no more: does not count")
    competing: list[HashText]
    calls: list[SafeCallView]

    @classmethod
    def of(cls, state: ProposalState) -> Self:
        return cls(**_fields(state))


class HashCardView(ApiModel):
    """What a wallet's own screen shows while signing; they must be the same."""

    domain_hash: HashText
    message_hash: HashText
    safe_tx_hash: HashText

    @classmethod
    def of(cls, card: HashCard) -> Self:
        return cls(domain_hash=card.domain, message_hash=card.message, safe_tx_hash=card.transaction)


class SafeSignatureView(ApiModel):
    """One owner's signature as it was handed in."""

    owner: AddressText
    by_contract: bool
    signature: str
    sent_by: AddressText
    signed_at: Time


class ProposalDetailView(ProposalView):
    """The same with what is signed: the document, its hashes, and every signature."""

    to: AddressText
    value_wei: BigInt
    data: str
    operation: str
    hash_card: HashCardView
    signatures: list[SafeSignatureView]
    intents: list[IntentView] = Field(description="this house's own executions")
    executed_outside: bool = Field(description="its nonce was used by a transaction that is none of this house's")
    signing: dict[str, Any] | None = Field(description="for eth_signTypedData_v4; null when it takes no more signatures")

    @classmethod
    def of_file(cls, file: ProposalFile) -> Self:
        row = file.state.row
        return cls(
            **_fields(file.state),
            to=row.to_address,
            value_wei=row.value_wei,
            data=hex0x(row.data),
            operation=Operation(row.operation).name,
            hash_card=HashCardView.of(file.card),
            signatures=[
                SafeSignatureView(
                    owner=each.owner,
                    by_contract=each.by_contract,
                    signature=hex0x(each.signature),
                    sent_by=each.sent_by,
                    signed_at=each.signed_at,
                )
                for each in row.signatures
            ],
            intents=[IntentView.of(each) for each in file.intents],
            executed_outside=file.executed_outside,
            signing=file.document,
        )


class SignatureBody(ApiModel):
    """An owner's signature over the proposal's hash. The owner may be a contract, and then another person sends it."""

    owner: AddressText
    signature: str = Field(
        max_length=2 * SIGNATURE_BYTES_MAX + 2,
        description="a key's 65 bytes r ‖ s ‖ v over `signing`, or what the owner's contract accepts, as 0x-hex",
    )


def _fields(state: ProposalState) -> dict[str, Any]:
    row = state.row
    return {
        "hash": row.hash,
        "safe": row.safe,
        "safe_name": state.safe_name,
        "nonce": row.nonce,
        "safe_nonce": state.safe_nonce,
        "status": state.status,
        "interrupted": InterruptionView.of(state.interrupted),
        "reason": row.reason,
        "proposed_by": None if row.proposed_by is None else Address(row.proposed_by),
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "closed_at": row.closed_at,
        "executed_tx": None if row.executed_tx is None else Hash32(row.executed_tx),
        "threshold": state.tally.threshold,
        "signed_by": list(state.tally.counting),
        "missing": list(state.tally.missing),
        "void": list(state.tally.void),
        "competing": state.competing,
        "calls": [SafeCallView.of(each) for each in state.calls],
    }
