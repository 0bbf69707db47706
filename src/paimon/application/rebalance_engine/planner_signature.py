"""Sign a plan with the planner's key and submit it as a person would.

The signature is made over a fresh preview, so the signer process checks the calls and the amount that are submitted.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from paimon.application.common.signed_action import SignedAction
from paimon.application.transactions.plans.calls import PlanRequest
from paimon.application.transactions.plans.context import PlanContext
from paimon.application.transactions.plans.preview import preview_plan
from paimon.application.transactions.plans.submit import NoWalletEligible, PlanSignature, WithPlan, nothing_else, submit_plan
from paimon.domain.kernel.eip712 import SignatureTerms
from paimon.domain.user.roles import User
from paimon.infrastructure.database.models.ops.plan import PlanRow


@dataclass(frozen=True, slots=True)
class Planner:
    """Who the plans are by: the planner's address as a user, and its key as a function that signs a document."""

    user: User
    sign: Callable[[dict[str, Any], SignatureTerms], Awaitable[SignedAction]]


async def sign_and_submit(
    planner: Planner, request: PlanRequest, context: PlanContext, with_plan: WithPlan = nothing_else
) -> PlanRow:
    """Return the plan that was made now, with what `with_plan` writes.

    Raises:
        What `with_plan` raises;
        UntrustedPrice, NoWalletEligible, PlanDrifted, PlanNotPossible, HashMismatch, IncompleteExecutions, RpcUnavailable,
        RpcError.
    """
    preview = await preview_plan(request, context)
    if preview.document is None or preview.choice.wallet is None:
        rejected = "; ".join(each.describe(preview.valued.decimals) for each in preview.choice.rejected_wallets)
        raise NoWalletEligible(f"no wallet may carry out the plan {request.plan}: {rejected}")
    signed = await planner.sign(preview.document, preview.terms)
    signature = PlanSignature(planner.user, preview.choice.wallet, preview.choice.amount, signed)
    return await submit_plan(request, signature, context, with_plan=with_plan)
