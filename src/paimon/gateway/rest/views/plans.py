"""JSON shapes of plans: the request, its preview, and the recorded plan with its status."""

from collections.abc import Sequence
from typing import Any, Self
from uuid import UUID

from pydantic import Field

from paimon.application.transactions.plans.calls import TEXT_MAX, PlanRequest, RequestedCall
from paimon.application.transactions.plans.preview import PlanPreview
from paimon.application.transactions.plans.queries import PlanDetail
from paimon.application.transactions.plans.simulate import SimulationResult
from paimon.application.transactions.plans.submit import PlanSignature
from paimon.domain.approval.policy import TicketRequirement, initiator_of
from paimon.domain.approval.ticket import TicketType
from paimon.domain.kernel.chain import hex0x
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.plan import PlanStatus
from paimon.domain.transaction.wallet_selection import PlanWallet, RejectedWallet, RejectionKind
from paimon.domain.user.roles import User
from paimon.gateway.rest.envelope import BlockStampView
from paimon.gateway.rest.schema import AddressText, ApiModel, BigInt, HashText, Time
from paimon.gateway.rest.views.signed_action import SignedBody, TypedData
from paimon.gateway.rest.views.transactions import IntentView


class CallBody(ApiModel):
    """A call by names: `{"contract": "AssetController", "function": "purchaseAsset", "arguments": {"token": "0x…", …}}`."""

    contract: str = Field(max_length=42, description="Vault, RedemptionManager, AssetController, or its address")
    function: str = Field(max_length=100)
    arguments: dict[str, str | int | bool] = Field({}, description="by name as in the ABI; integers as decimal strings")


class PlanBody(ApiModel):
    """A plan, or one piece of it."""

    key: str = Field(max_length=TEXT_MAX["key"], description="idempotency key: the same key with other calls is refused")
    plan: str = Field(max_length=TEXT_MAX["plan"], description="the plan's name: the amounts of all its pieces add up")
    calls: list[CallBody]
    reason: str = Field(max_length=TEXT_MAX["reason"], description="why, for later readers")

    def to_request(self, user: User) -> PlanRequest:
        """Convert the body to the use case's request by this person. Raises InvalidPlan."""
        calls = tuple(RequestedCall(call.contract, call.function, call.arguments) for call in self.calls)
        return PlanRequest(self.key, self.plan, calls, self.reason, initiator_of(user))


class SignedPlanBody(PlanBody, SignedBody):
    """A plan as it was previewed, with a signature over the preview's `signing`."""

    wallet: PlanWallet = Field(description="`message.wallet` of the signed typed data")
    amount: BigInt = Field(description="`message.amount` of the signed typed data")

    def to_signature(self, user: User) -> PlanSignature:
        return PlanSignature(user, self.wallet, RawAmount(self.amount), self.signed)


class WalletRejectionView(ApiModel):
    kind: RejectionKind
    calls: list[str]
    resulting_amount: BigInt
    limit: BigInt
    description: str


class RejectedWalletView(ApiModel):
    """A smaller wallet that may not send the plan, with the reasons."""

    wallet: PlanWallet
    reasons: list[WalletRejectionView]
    description: str

    @classmethod
    def of(cls, rejected: RejectedWallet, decimals: int) -> Self:
        reasons = [
            WalletRejectionView(
                kind=reason.kind,
                calls=list(reason.calls),
                resulting_amount=reason.resulting_amount,
                limit=reason.limit,
                description=reason.describe(decimals),
            )
            for reason in rejected.reasons
        ]
        return cls(wallet=rejected.wallet, reasons=reasons, description=rejected.describe(decimals))


class SimulatedCallView(ApiModel):
    """One call with its amount, and its outcome if the wallet made it now, alone."""

    description: str
    to: AddressText
    data: str
    amount: BigInt = Field(description="what it counts for against the limits, in units of the vault's asset")
    succeeds: bool | None = Field(description="null: no wallet may make it")
    outcome: str | None = Field(description="`succeeds`, or the description of the contract's error")


class ApprovalsView(ApiModel):
    """The ticket that a plan would need before it is executed."""

    type: TicketType
    rules: list[str] = Field(description="the policy's rules that ask for it")
    needs: list[str] = Field(description="the approvals that each rule asks for")

    @classmethod
    def of(cls, required: TicketRequirement) -> Self:
        return cls(
            type=required.type,
            rules=[rule.name for rule in required.rules],
            needs=[str(rule.approvals) for rule in required.rules],
        )


class PreviewView(ApiModel):
    """The wallet and signature a plan would need. A preview writes nothing and reserves nothing."""

    wallet: PlanWallet | None = Field(description="the smallest that may send it; null when none may")
    amount: BigInt
    plan_amount: BigInt = Field(description="with the plan's earlier pieces")
    rejected_wallets: list[RejectedWalletView]
    approvals: ApprovalsView | None = Field(description="null for a plan that needs no ticket")
    calls: list[SimulatedCallView]
    at: BlockStampView = Field(description="the final block it was valued and simulated at")
    signing: TypedData | None = Field(description="for eth_signTypedData_v4, to submit the plan as previewed")

    @classmethod
    def of(cls, preview: PlanPreview) -> Self:
        valued, choice = preview.valued, preview.choice
        results: Sequence[SimulationResult | None] = preview.simulated or [None] * len(valued.calls)
        return cls(
            wallet=choice.wallet,
            amount=choice.amount,
            plan_amount=choice.plan_amount,
            rejected_wallets=[RejectedWalletView.of(rejected, valued.decimals) for rejected in choice.rejected_wallets],
            approvals=None if preview.requirement is None else ApprovalsView.of(preview.requirement),
            calls=[
                SimulatedCallView(
                    description=call.step.description,
                    to=call.step.call.to,
                    data=hex0x(call.step.call.data),
                    amount=planned.amount,
                    succeeds=None if result is None else result.succeeds,
                    outcome=None if result is None else result.description,
                )
                for call, planned, result in zip(valued.calls, valued.planned, results, strict=True)
            ],
            at=BlockStampView.of(valued.at),
            signing=preview.document,
        )


class PlanCallView(ApiModel):
    """One call of a plan, with the intent that makes it if the hot wallet sends the plan."""

    description: str
    to: AddressText
    data: str
    amount: BigInt
    intent: IntentView | None


class PlanView(ApiModel):
    """A plan, or one piece of it, with its status."""

    id: UUID
    key: str
    plan: str
    reason: str
    status: PlanStatus
    wallet: PlanWallet
    amount: BigInt
    rejected_wallets: list[str] = Field(description="why no smaller wallet may send it")
    proposal: HashText | None = Field(description="the Safe transaction that executes it: `/multisig/proposals/{safeTxHash}`")
    created_at: Time
    requested_by: AddressText = Field(description="who signed the plan: a person, or the planner")
    calls: list[PlanCallView]

    @classmethod
    def of(cls, detail: PlanDetail) -> Self:
        return cls(**_fields(detail))


class PlanDetailView(PlanView):
    """A plan with what was signed: enough to verify it without this system."""

    typed_data: TypedData
    signature: str

    @classmethod
    def of_detail(cls, detail: PlanDetail) -> Self:
        return cls(**_fields(detail), typed_data=detail.typed_data, signature=hex0x(detail.signature))


def _fields(detail: PlanDetail) -> dict[str, Any]:
    return {
        "id": detail.id,
        "key": detail.idempotency_key,
        "plan": detail.name,
        "reason": detail.reason,
        "status": detail.status,
        "wallet": detail.wallet,
        "amount": detail.amount,
        "rejected_wallets": list(detail.rejected_wallets),
        "proposal": detail.proposal,
        "created_at": detail.created_at,
        "requested_by": detail.requested_by,
        "calls": [
            PlanCallView(
                description=call.description,
                to=call.to,
                data=hex0x(call.data),
                amount=call.amount,
                intent=None if call.intent is None else IntentView.of_intent(call.intent),
            )
            for call in detail.calls
        ],
    }
