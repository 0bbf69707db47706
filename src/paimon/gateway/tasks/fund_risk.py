"""Assess the fund's risk with the health of the system, for the clock and after events."""

from paimon.application.fund_risk.assess import assess_risk
from paimon.composition import AppContext
from paimon.domain.operations.health import HealthStatus
from paimon.gateway.tasks.system_health import system_health


async def assess_fund_risk(context: AppContext, *, only_if_due: bool) -> None:
    """Assess the newest snapshot; with `only_if_due`, at the interval of the present level."""
    health = await _system_health(context)
    policy, scope = context.settings.risk.policy(), context.signing_rules.scope
    await assess_risk(context.database, policy, scope, system_health=health, only_if_due=only_if_due)


async def _system_health(context: AppContext) -> int:
    """Return the system's health as a number: 0 well, 1 degraded, 2 down."""
    return tuple(HealthStatus).index((await system_health(context)).status)
