"""Plans as the API shows them: what they would need, what was handed in, and how it stands."""

from collections.abc import Sequence
from typing import Any, Self
from uuid import UUID

from pydantic import Field

from paimon.application.transactions.plans.calls import TEXT_MAX, PlanRequest, RequestedCall
from paimon.application.transactions.plans.preview import PlanPreview
from paimon.application.transactions.plans.queries import PlanDetail
from paimon.application.transactions.plans.simulate import SimulationResult
from paimon.application.transactions.plans.submit import PlanSignature
from paimon.domain.kernel.chain import Address, Hash32, hex0x
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.plan import PlanStatus
from paimon.domain.transaction.wallet_selection import PlanWallet, RejectedWallet, RejectionKind
from paimon.domain.user.roles import User
from paimon.gateway.rest.envelope import BlockStampView
from paimon.gateway.rest.schema import AddressText, ApiModel, BigInt, HashText, Time
from paimon.gateway.rest.views.approvals import UnixSeconds
from paimon.gateway.rest.views.transactions import IntentView
from paimon.infrastructure.database.models.ops.plan import PlanRow


class CallBody(ApiModel):
    """A call in names: `{"contract": "AssetController", "function": "purchaseAsset", "arguments": {"token": "0x…", …}}`."""

    contract: str = Field(max_length=42, description="Vault, RedemptionManager, AssetController, or its address")
    function: str = Field(max_length=100)
    arguments: dict[str, str | int | bool] = Field({}, description="by name as in the ABI; integers as decimal strings")


class PlanBody(ApiModel):
    """A plan, or one piece of it."""

    key: str = Field(max_length=TEXT_MAX["key"], description="what it is for, once: the same key with other calls is refused")
    plan: str = Field(max_length=TEXT_MAX["plan"], description="the plan's name: all pieces of one name count together")
    calls: list[CallBody]
    reason: str = Field(max_length=TEXT_MAX["reason"], description="why, for whoever reads of it later")

    def wanted(self) -> PlanRequest:
        """Raises InvalidPlan."""
        calls = tuple(RequestedCall(each.contract, each.function, each.arguments) for each in self.calls)
        return PlanRequest(self.key, self.plan, calls, self.reason)


class SignedPlanBody(PlanBody):
    """The same as it was previewed, with a signature over the dry run's `signing`."""

    wallet: PlanWallet = Field(description="`message.wallet` of the signed typed data")
    amount: BigInt = Field(description="`message.amount` of the signed typed data")
    nonce: HashText = Field(description="`message.nonce` of the signed typed data")
    expires_at: UnixSeconds = Field(description="`message.expiresAt` of the signed typed data, in Unix seconds")
    signature: str = Field(max_length=1_000, description="65 bytes r ‖ s ‖ v as 0x-hex, by eth_signTypedData_v4")

    def consent(self, user: User) -> PlanSignature:
        return PlanSignature(user, self.wallet, RawAmount(self.amount), self.nonce, self.expires_at, self.signature)


class WalletRejectionView(ApiModel):
    kind: RejectionKind
    calls: list[str]
    resulting_amount: BigInt
    allowed: BigInt
    description: str


class RejectedWalletView(ApiModel):
    """Why a smaller wallet does not do it."""

    wallet: PlanWallet
    reasons: list[WalletRejectionView]
    description: str

    @classmethod
    def of(cls, rejected: RejectedWallet, decimals: int) -> Self:
        reasons = [
            WalletRejectionView(
                kind=each.kind,
                calls=list(each.calls),
                resulting_amount=each.resulting_amount,
                allowed=each.allowed,
                description=each.describe(decimals),
            )
            for each in rejected.reasons
        ]
        return cls(wallet=rejected.wallet, reasons=reasons, description=rejected.describe(decimals))


class SimulatedCallView(ApiModel):
    """One call as read, what it counts for, and how it would end if the wallet made it now, alone."""

    description: str
    to: AddressText
    data: str
    amount: BigInt = Field(description="what it counts for, in units of the vault's asset")
    passes: bool | None = Field(description="null: no wallet may make it")
    outcome: str | None = Field(description="`passes`, or the contract's own error in words")


class PreviewView(ApiModel):
    """What a plan would need. Nothing is written by it, and nothing reserved."""

    wallet: PlanWallet | None = Field(description="the smallest that may do it; null when none may")
    amount: BigInt
    plan_amount: BigInt = Field(description="with the plan's earlier pieces")
    rejected_wallets: list[RejectedWalletView]
    calls: list[SimulatedCallView]
    at: BlockStampView = Field(description="the final block it was valued and simulated at")
    signing: dict[str, Any] | None = Field(description="for eth_signTypedData_v4, to have it carried out so")

    @classmethod
    def of(cls, preview: PlanPreview) -> Self:
        valued, choice = preview.valued, preview.choice
        ends: Sequence[SimulationResult | None] = preview.simulated or [None] * len(valued.calls)
        return cls(
            wallet=choice.wallet,
            amount=choice.amount,
            plan_amount=choice.plan_amount,
            rejected_wallets=[RejectedWalletView.of(each, valued.decimals) for each in choice.rejected_wallets],
            calls=[
                SimulatedCallView(
                    description=call.step.description,
                    to=call.step.call.to,
                    data=hex0x(call.step.call.data),
                    amount=planned.amount,
                    passes=None if end is None else end.passes,
                    outcome=None if end is None else end.description,
                )
                for call, planned, end in zip(valued.calls, valued.planned, ends, strict=True)
            ],
            at=BlockStampView.of(valued.at),
            signing=preview.document,
        )


class PlanCallView(ApiModel):
    """One call of a plan, and the intent that makes it where the hot key does."""

    description: str
    to: AddressText
    data: str
    amount: BigInt
    intent: IntentView | None


class PlanView(ApiModel):
    """A plan, or one piece of it, as it stands."""

    id: UUID
    key: str
    plan: str
    reason: str
    state: PlanStatus
    wallet: PlanWallet
    amount: BigInt
    rejected_wallets: list[str] = Field(description="why no smaller wallet")
    proposal: HashText | None = Field(
        description="the Safe's transaction that carries it out: `/multisig/proposals/{safeTxHash}`"
    )
    created_at: Time
    requested_by: AddressText | None = Field(description="null: this house, by a rule of its own")
    calls: list[PlanCallView]

    @classmethod
    def of(cls, detail: PlanDetail) -> Self:
        return cls(**_fields(detail))


class PlanDetailView(PlanView):
    """The same with what was signed: enough to check it without this system."""

    typed_data: dict[str, Any] | None
    signature: str | None

    @classmethod
    def of_detail(cls, detail: PlanDetail) -> Self:
        row = detail.row
        signature = None if row.signature is None else hex0x(row.signature)
        return cls(**_fields(detail), typed_data=row.typed_data, signature=signature)


def _fields(detail: PlanDetail) -> dict[str, Any]:
    row: PlanRow = detail.row
    return {
        "id": row.id,
        "key": row.idempotency_key,
        "plan": row.name,
        "reason": row.reason,
        "state": detail.status,
        "wallet": row.wallet,
        "amount": row.amount,
        "rejected_wallets": row.rejected_wallets,
        "proposal": None if row.proposal is None else Hash32(row.proposal),
        "created_at": row.created_at,
        "requested_by": None if row.requested_by is None else Address(row.requested_by),
        "calls": [
            PlanCallView(
                description=each.description,
                to=each.to_address,
                data=hex0x(each.data),
                amount=each.amount,
                intent=None if each.intent is None else IntentView.of(each.intent),
            )
            for each in row.calls
        ],
    }
