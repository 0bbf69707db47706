"""The context of the rebalance engine: what every step with it needs."""

from dataclasses import dataclass

from paimon.application.transactions.plans.context import PlanContext
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.rebalance.plan_policy import PlanPolicy
from paimon.domain.risk.risk_policy import RiskPolicy
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.solver.solver import Solver


@dataclass(frozen=True, slots=True)
class RebalanceContext:
    """Without `is_automatic` the triggers are judged, and people alone submit plans."""

    plans: PlanContext
    solver: Solver
    policy: PlanPolicy
    risk_policy: RiskPolicy
    is_automatic: bool

    @property
    def database(self) -> Database:
        return self.plans.database

    @property
    def scope(self) -> SigningScope:
        """Where signed actions about the fund count."""
        return self.plans.signing_rules.scope
