"""JSON shapes of Safes, their proposals, and owners' signatures."""

from enum import StrEnum
from typing import Any, Self

from pydantic import Field

from paimon.application.transactions.multisig.describe import DescribedCall
from paimon.application.transactions.multisig.queries import ProposalDetail, ProposalSummary, SafeSummary
from paimon.application.transactions.multisig.sign import SIGNATURE_BYTES_MAX
from paimon.domain.kernel.chain import ContractName, hex0x
from paimon.domain.transaction.safe_proposal import ProposalStatus
from paimon.domain.transaction.safe_transaction import SafeName, SafeTransactionHashes
from paimon.gateway.rest.schema import AddressText, ApiModel, BigInt, HashText, Time
from paimon.gateway.rest.views.signed_action import TypedData
from paimon.gateway.rest.views.transactions import IntentView
from paimon.gateway.rest.views.wallets import LastErrorView


class SafeOperationName(StrEnum):
    """How the Safe runs its call, by the name of its number on chain."""

    CALL = "CALL"
    DELEGATECALL = "DELEGATECALL"


class SafeView(ApiModel):
    """A Safe as it was last read at a final block."""

    name: SafeName
    address: AddressText
    owners: list[AddressText]
    threshold: int
    nonce: int = Field(description="the nonce it executes next")
    next_nonce: int = Field(description="the nonce the next proposal gets")
    seen_block: int
    seen_at: Time
    last_error: LastErrorView | None = Field(description="clears by itself when the node answers again")

    @classmethod
    def of(cls, safe: SafeSummary) -> Self:
        return cls(
            name=safe.name,
            address=safe.address,
            owners=list(safe.owners),
            threshold=safe.threshold,
            nonce=safe.nonce,
            next_nonce=safe.next_nonce,
            seen_block=safe.seen_block,
            seen_at=safe.seen_at,
            last_error=LastErrorView.of(safe.last_error),
        )


class SafeCallView(ApiModel):
    """One call of the proposal. `contract`, `function` and `arguments` are empty for a call to a contract outside the fund."""

    to: AddressText
    value_wei: BigInt
    data: str
    contract: ContractName | None
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
    """A proposed Safe transaction. Proposals of one Safe with one nonce compete: at most one of them can be executed."""

    hash: HashText
    safe: AddressText
    safe_name: SafeName
    nonce: int
    safe_nonce: int = Field(description="the proposal can be executed when this equals its nonce")
    status: ProposalStatus
    last_error: LastErrorView | None = Field(description="of its Safe, whose recorded state may then be old")
    reason: str
    proposed_by: AddressText | None = Field(description="null: proposed by a rule of the system")
    created_at: Time
    expires_at: Time
    closed_at: Time | None
    executed_tx_hash: HashText | None = Field(description="the transaction that used the nonce, of any sender")
    threshold: int
    signed_by: list[AddressText] = Field(description="owners whose signature counts now")
    missing_signers: list[AddressText] = Field(description="owners who have not signed")
    former_owners: list[AddressText] = Field(description="signers who no longer own the Safe; their signatures do not count")
    competing: list[HashText]
    calls: list[SafeCallView]

    @classmethod
    def of(cls, summary: ProposalSummary) -> Self:
        return cls(**_fields(summary))


class HashCardView(ApiModel):
    """Hashes that the wallet's own screen shows while signing. Compare them before signing."""

    domain_hash: HashText
    message_hash: HashText
    safe_tx_hash: HashText

    @classmethod
    def of(cls, card: SafeTransactionHashes) -> Self:
        return cls(domain_hash=card.domain, message_hash=card.message, safe_tx_hash=card.transaction)


class SafeSignatureView(ApiModel):
    """One owner's signature as it was submitted."""

    owner: AddressText
    is_contract_signature: bool
    signature: str
    submitted_by: AddressText
    signed_at: Time


class ProposalDetailView(ProposalView):
    """A proposal with the document that owners sign, its hashes, and every signature."""

    to: AddressText
    value_wei: BigInt
    data: str
    operation: SafeOperationName
    hash_card: HashCardView
    signatures: list[SafeSignatureView]
    intents: list[IntentView] = Field(description="intents of this system that execute it")
    ticket_id: str | None = Field(description="the approval ticket that the signatures decide; null for a proposal of no plan")
    executed_externally: bool = Field(description="its nonce was used by a transaction that this system did not send")
    signing: TypedData | None = Field(description="for eth_signTypedData_v4; null when it takes no more signatures")

    @classmethod
    def of_detail(cls, detail: ProposalDetail) -> Self:
        proposal = detail.summary
        return cls(
            **_fields(proposal),
            to=proposal.to,
            value_wei=proposal.value_wei,
            data=hex0x(proposal.data),
            operation=SafeOperationName[proposal.operation.name],
            hash_card=HashCardView.of(detail.hashes),
            signatures=[
                SafeSignatureView(
                    owner=signature.owner,
                    is_contract_signature=signature.is_contract_signature,
                    signature=hex0x(signature.signature),
                    submitted_by=signature.submitted_by,
                    signed_at=signature.signed_at,
                )
                for signature in proposal.signatures
            ],
            intents=[IntentView.of_intent(intent) for intent in detail.intents],
            ticket_id=detail.ticket_id,
            executed_externally=detail.executed_externally,
            signing=detail.document,
        )


class SignatureBody(ApiModel):
    """An owner's signature over the proposal's hash. If the owner is a contract, a person submits its signature."""

    owner: AddressText
    signature: str = Field(
        max_length=2 * SIGNATURE_BYTES_MAX + 2,
        description="a key's 65 bytes r ‖ s ‖ v over `signing`, or over the hash by eth_sign with v 31 or 32, "
        "or what the owner's contract accepts, as 0x-hex",
    )


def _fields(proposal: ProposalSummary) -> dict[str, Any]:
    return {
        "hash": proposal.hash,
        "safe": proposal.safe,
        "safe_name": proposal.safe_name,
        "nonce": proposal.nonce,
        "safe_nonce": proposal.safe_nonce,
        "status": proposal.status,
        "last_error": LastErrorView.of(proposal.last_error),
        "reason": proposal.reason,
        "proposed_by": proposal.proposed_by,
        "created_at": proposal.created_at,
        "expires_at": proposal.expires_at,
        "closed_at": proposal.closed_at,
        "executed_tx_hash": proposal.executed_tx_hash,
        "threshold": proposal.tally.threshold,
        "signed_by": list(proposal.tally.valid_signers),
        "missing_signers": list(proposal.tally.missing_signers),
        "former_owners": list(proposal.tally.former_owners),
        "competing": list(proposal.competing),
        "calls": [SafeCallView.of(call) for call in proposal.calls],
    }
