"""Safes and what is proposed to them, as the API shows them."""

from typing import Any, Self

from pydantic import Field

from paimon.application.transactions.multisig.describe import DescribedCall
from paimon.application.transactions.multisig.queries import ProposalDetail, ProposalSummary
from paimon.application.transactions.multisig.sign import SIGNATURE_BYTES_MAX
from paimon.application.transactions.queries import last_error_of
from paimon.domain.kernel.chain import Address, Hash32, hex0x
from paimon.domain.transaction.safe_proposal import ProposalStatus
from paimon.domain.transaction.safe_transaction import SafeTransactionHashes, SafeOperation, SafeName
from paimon.gateway.rest.schema import AddressText, ApiModel, BigInt, HashText, Time
from paimon.gateway.rest.views.transactions import IntentView
from paimon.gateway.rest.views.wallets import LastErrorView
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
    last_error: LastErrorView | None = Field(description="passes by itself when the node answers again")

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
            last_error=LastErrorView.of(last_error_of(row)),
        )


class SafeCallView(ApiModel):
    """One call the Safe would make. `contract`, `function` and `arguments` are empty where the call is not the fund's."""

    to: AddressText
    value_wei: BigInt
    data: str
    contract: str | None
    function: str | None
    arguments: dict[str, Any]
    description: str

    @classmethod
    def of(cls, call: DescribedCall) -> Self:
        return cls(
            to=call.call.to,
            value_wei=call.call.value_wei,
            data=hex0x(call.call.data),
            contract=call.contract,
            function=call.function,
            arguments=dict(call.arguments),
            description=call.description,
        )


class ProposalView(ApiModel):
    """A proposed transaction of a Safe. Those with one `safe` and `nonce` compete: at most one of them can be executed."""

    hash: HashText
    safe: AddressText
    safe_name: SafeName
    nonce: int
    safe_nonce: int = Field(description="it can be executed when this has reached its nonce")
    status: ProposalStatus
    last_error: LastErrorView | None = Field(description="of its Safe; what was seen of it may be old then")
    reason: str
    proposed_by: AddressText | None = Field(description="null: this house, by a rule of its own")
    created_at: Time
    expires_at: Time
    closed_at: Time | None
    executed_tx_hash: HashText | None = Field(description="the transaction that used the nonce, whoever sent it")
    threshold: int
    signed_by: list[AddressText] = Field(description="owners whose signature counts now")
    missing_signers: list[AddressText] = Field(description="owners who have not signed")
    former_owners: list[AddressText] = Field(description="who signed and owns the Safe no more: does not count")
    competing: list[HashText]
    calls: list[SafeCallView]

    @classmethod
    def of(cls, state: ProposalSummary) -> Self:
        return cls(**_fields(state))


class HashCardView(ApiModel):
    """What a wallet's own screen shows while signing; they must be the same."""

    domain_hash: HashText
    message_hash: HashText
    safe_tx_hash: HashText

    @classmethod
    def of(cls, card: SafeTransactionHashes) -> Self:
        return cls(domain_hash=card.domain, message_hash=card.message, safe_tx_hash=card.transaction)


class SafeSignatureView(ApiModel):
    """One owner's signature as it was handed in."""

    owner: AddressText
    is_contract_signature: bool
    signature: str
    submitted_by: AddressText
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
    executed_externally: bool = Field(description="its nonce was used by a transaction that is none of this house's")
    signing: dict[str, Any] | None = Field(description="for eth_signTypedData_v4; null when it takes no more signatures")

    @classmethod
    def of_detail(cls, detail: ProposalDetail) -> Self:
        row = detail.summary.row
        return cls(
            **_fields(detail.summary),
            to=row.to_address,
            value_wei=row.value_wei,
            data=hex0x(row.data),
            operation=SafeOperation(row.operation).name,
            hash_card=HashCardView.of(detail.hashes),
            signatures=[
                SafeSignatureView(
                    owner=each.owner,
                    is_contract_signature=each.is_contract_signature,
                    signature=hex0x(each.signature),
                    submitted_by=each.submitted_by,
                    signed_at=each.signed_at,
                )
                for each in row.signatures
            ],
            intents=[IntentView.of(each) for each in detail.intents],
            executed_externally=detail.executed_externally,
            signing=detail.document,
        )


class SignatureBody(ApiModel):
    """An owner's signature over the proposal's hash. The owner may be a contract, and then another person sends it."""

    owner: AddressText
    signature: str = Field(
        max_length=2 * SIGNATURE_BYTES_MAX + 2,
        description="a key's 65 bytes r ‖ s ‖ v over `signing`, or what the owner's contract accepts, as 0x-hex",
    )


def _fields(state: ProposalSummary) -> dict[str, Any]:
    row = state.row
    return {
        "hash": row.hash,
        "safe": row.safe,
        "safe_name": state.safe_name,
        "nonce": row.nonce,
        "safe_nonce": state.safe_nonce,
        "status": state.status,
        "last_error": LastErrorView.of(state.last_error),
        "reason": row.reason,
        "proposed_by": None if row.proposed_by is None else Address(row.proposed_by),
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "closed_at": row.closed_at,
        "executed_tx_hash": None if row.executed_tx_hash is None else Hash32(row.executed_tx_hash),
        "threshold": state.tally_signatures.threshold,
        "signed_by": list(state.tally_signatures.valid_signers),
        "missing_signers": list(state.tally_signatures.missing_signers),
        "former_owners": list(state.tally_signatures.former_owners),
        "competing": state.competing,
        "calls": [SafeCallView.of(each) for each in state.calls],
    }
