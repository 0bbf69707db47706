"""Ask the approval policy again before a call of the hot key is sent: it may have changed since the plan was submitted.

A plan that the policy allows needs nothing. One that it blocks now, or wants approved, waits: it goes on if the policy allows
it again, and ends with its deadline otherwise. So does one whose signer may not plan, or no longer. The signer reads no policy.
"""

from paimon.application.approval_policy.publications import get_current_policy
from paimon.application.identity.signed_users import find_user, list_past_holders
from paimon.application.transactions.plans.calls import read_recorded_call
from paimon.application.transactions.plans.select_wallet import plan_operations, policy_verdict
from paimon.application.transactions.plans.store import (
    find_plan,
    list_recorded_calls,
    sum_moved_by_plan,
    sum_moved_by_wallet,
)
from paimon.domain.approval.policy import Initiator, initiator_of
from paimon.domain.kernel.chain import Address, BlockStamp, checksum
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.transaction.intent import Intent
from paimon.domain.transaction.spending_limit import ROLLING_DAY
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon.domain.user.roles import Permission
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import WriteSession


async def find_policy_fault(
    session: WriteSession,
    intent: Intent,
    contracts: FundContracts,
    scope: SigningScope,
    *,
    planner: Address | None,
    at: BlockStamp,
) -> str | None:
    """Return why the policy in force keeps this call of a plan from the hot key; None if it does not, or it is of no plan.

    `planner` is the address of the planner's key, which is no user's.

    Raises:
        RpcUnavailable, RpcError.
    """
    plan = None if intent.subject.plan_id is None else await find_plan(session, intent.subject.plan_id)
    if plan is None:
        return None
    signer = Address(plan.requested_by)
    user = await find_user(session, signer, scope)
    if user is not None and user.may(Permission.EXECUTE_PLAN):
        initiator = initiator_of(user)
    elif signer == planner:
        initiator = Initiator.PLANNER
    elif signer in await list_past_holders(session, Permission.EXECUTE_PLAN, scope):
        return f"{checksum(signer)}, who signed the plan, may plan no longer"
    else:
        return f"{checksum(signer)}, who signed the plan, is neither the planner nor was ever let plan"
    now, policy = await database_now(session), await get_current_policy(session, scope)
    operations = plan_operations(
        initiator,
        PlanWallet.HOT,
        [read_recorded_call(*recorded, contracts) for recorded in await list_recorded_calls(session, plan.id)],
        amount=await sum_moved_by_plan(session, plan.name, now=now),
        moved_in_24_hours=await sum_moved_by_wallet(session, PlanWallet.HOT, now=now, since=now - ROLLING_DAY),
        decimals=await contracts.asset_decimals(at=at),
    )
    _, fault = policy_verdict(policy, PlanWallet.HOT, operations, threshold=None)
    return fault
