"""Plans as the API shows them: what they would need, what was handed in, and how it stands."""

from collections.abc import Sequence
from typing import Any, Self
from uuid import UUID

from pydantic import Field

from paimon.application.transactions.plans.calls import TEXT_MAX, AskedCall, WantedPlan
from paimon.application.transactions.plans.preview import Preview
from paimon.application.transactions.plans.queries import PlanFile
from paimon.application.transactions.plans.simulate import Simulated
from paimon.application.transactions.plans.submit import Consent
from paimon.domain.kernel.chain import Address, Hash32, hex0x
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.plan import PlanState
from paimon.domain.transaction.wallet_selection import Obstacle, PassedOver, PlanWallet
from paimon.domain.user.roles import User
from paimon.gateway.rest.envelope import StampView
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

    def wanted(self) -> WantedPlan:
        """Raises BadPlan."""
        calls = tuple(AskedCall(each.contract, each.function, each.arguments) for each in self.calls)
        return WantedPlan(self.key, self.plan, calls, self.reason)


class SignedPlanBody(PlanBody):
    """The same as it was previewed, with a signature over the dry run's `signing`."""

    wallet: PlanWallet = Field(description="`message.wallet` of the signed typed data")
    amount: BigInt = Field(description="`message.amount` of the signed typed data")
    nonce: HashText = Field(description="`message.nonce` of the signed typed data")
    expires_at: UnixSeconds = Field(description="`message.expiresAt` of the signed typed data, in Unix seconds")
    signature: str = Field(max_length=1_000, description="65 bytes r ‖ s ‖ v as 0x-hex, by eth_signTypedData_v4")

    def consent(self, user: User) -> Consent:
        return Consent(user, self.wallet, RawAmount(self.amount), self.nonce, self.expires_at, self.signature)


class ReasonView(ApiModel):
    obstacle: Obstacle
    calls: list[str]
    would_be: BigInt
    allowed: BigInt
    words: str


class PassedOverView(ApiModel):
    """Why a smaller wallet does not do it."""

    wallet: PlanWallet
    reasons: list[ReasonView]
    words: str

    @classmethod
    def of(cls, passed: PassedOver, decimals: int) -> Self:
        reasons = [
            ReasonView(
                obstacle=each.obstacle,
                calls=list(each.calls),
                would_be=each.would_be,
                allowed=each.allowed,
                words=each.words(decimals),
            )
            for each in passed.reasons
        ]
        return cls(wallet=passed.wallet, reasons=reasons, words=passed.words(decimals))


class SimulatedCallView(ApiModel):
    """One call as read, what it counts for, and how it would end if the wallet made it now, alone."""

    words: str
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
    passed_over: list[PassedOverView]
    calls: list[SimulatedCallView]
    at: StampView = Field(description="the final block it was valued and simulated at")
    signing: dict[str, Any] | None = Field(description="for eth_signTypedData_v4, to have it carried out so")

    @classmethod
    def of(cls, preview: Preview) -> Self:
        valued, choice = preview.valued, preview.choice
        ends: Sequence[Simulated | None] = preview.simulated or [None] * len(valued.calls)
        return cls(
            wallet=choice.wallet,
            amount=choice.amount,
            plan_amount=choice.plan_amount,
            passed_over=[PassedOverView.of(each, valued.decimals) for each in choice.passed_over],
            calls=[
                SimulatedCallView(
                    words=call.step.words,
                    to=call.step.call.to,
                    data=hex0x(call.step.call.data),
                    amount=planned.amount,
                    passes=None if end is None else end.passes,
                    outcome=None if end is None else end.words,
                )
                for call, planned, end in zip(valued.calls, valued.planned, ends, strict=True)
            ],
            at=StampView.of(valued.at),
            signing=preview.document,
        )


class PlanCallView(ApiModel):
    """One call of a plan, and the intent that makes it where the hot key does."""

    words: str
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
    state: PlanState
    wallet: PlanWallet
    amount: BigInt
    passed_over: list[str] = Field(description="why no smaller wallet")
    proposal: HashText | None = Field(
        description="the Safe's transaction that carries it out: `/multisig/proposals/{safeTxHash}`"
    )
    created_at: Time
    asked_by: AddressText | None = Field(description="null: this house, by a rule of its own")
    calls: list[PlanCallView]

    @classmethod
    def of(cls, file: PlanFile) -> Self:
        return cls(**_fields(file))


class PlanFileView(PlanView):
    """The same with what was signed: enough to check it without this system."""

    typed_data: dict[str, Any] | None
    signature: str | None

    @classmethod
    def of_file(cls, file: PlanFile) -> Self:
        row = file.row
        signature = None if row.signature is None else hex0x(row.signature)
        return cls(**_fields(file), typed_data=row.typed_data, signature=signature)


def _fields(file: PlanFile) -> dict[str, Any]:
    row: PlanRow = file.row
    return {
        "id": row.id,
        "key": row.idempotency_key,
        "plan": row.name,
        "reason": row.reason,
        "state": file.state,
        "wallet": row.wallet,
        "amount": row.amount,
        "passed_over": row.passed_over,
        "proposal": None if row.proposal is None else Hash32(row.proposal),
        "created_at": row.created_at,
        "asked_by": None if row.asked_by is None else Address(row.asked_by),
        "calls": [
            PlanCallView(
                words=each.words,
                to=each.to_address,
                data=hex0x(each.data),
                amount=each.amount,
                intent=None if each.intent is None else IntentView.of(each.intent),
            )
            for each in row.calls
        ],
    }
