"""The health of the whole system, as a worker sees it."""

from paimon.application.monitoring.health import HealthReport, check_health
from paimon.composition import AppContext


async def system_health(context: AppContext) -> HealthReport:
    """Probe and judge every component."""
    return await check_health(
        database=context.database,
        redis=context.redis,
        rpc=context.rpc,
        chain=context.chain,
        wallets=tuple(context.settings.sending.sending_keys()),
        limits=context.settings.health,
        low_balance_wei=context.settings.sending.low_balance_wei,
    )
