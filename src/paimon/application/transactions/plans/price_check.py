"""Refuse plans that trade an asset whose price is not trusted: their amounts, limits and approvals rest on that price.

    purchaseAsset, redeemAsset, createOTCOrder     the named asset
    allocateToLayer                                every asset of the tier
    rebalanceBuffer                                every asset of L1 and L2
    executeWaterfallLiquidation                    every asset of L1, and of L2 where it may go so far

An order that exists is paid and delivered at the price it was made for. An asset that was never judged is not refused: no
snapshot has it yet.
"""

from collections.abc import Mapping

from paimon.application.oracle.queries import JudgedPrice, load_judged_prices
from paimon.application.transactions.plans.select_wallet import ValuedCalls
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.transaction.wallet_selection import RebalancerFunction
from paimon.errors import Conflict
from paimon.infrastructure.blockchain.contracts.money_calls import MoneyCall
from paimon.infrastructure.database.sessions import ReadSession, WriteSession


class UntrustedPrice(Conflict):
    """The plan would trade an asset whose price is not trusted; the message has the asset and the reasons."""


async def require_trusted_prices(session: ReadSession | WriteSession, valued: ValuedCalls) -> None:
    """Raises UntrustedPrice."""
    judged = await load_judged_prices(session)
    for call in valued.calls:
        if call.money is None:
            continue
        for token in _traded(call.money, judged):
            if (price := judged.get(token)) is not None and not price.is_trusted:
                raise UntrustedPrice(
                    f"{call.step.description} would trade {checksum(token)}, whose price is not trusted:"
                    f" {'; '.join(price.reasons)}"
                )


def _traded(call: MoneyCall, judged: Mapping[Address, JudgedPrice]) -> list[Address]:
    tiers: tuple[Tier, ...]
    match call.function:
        case RebalancerFunction.PURCHASE | RebalancerFunction.REDEEM | RebalancerFunction.CREATE_OTC:
            return [Address(call.arguments["token"])]
        case RebalancerFunction.ALLOCATE:
            tiers = tuple(tier for tier in Tier if tier.on_chain == call.arguments["tier"])
        case RebalancerFunction.REBALANCE_BUFFER:
            tiers = (Tier.L1, Tier.L2)
        case RebalancerFunction.WATERFALL:
            tiers = (Tier.L1, Tier.L2) if call.arguments["maxTier"] else (Tier.L1,)
        case _:
            return []
    return [token for token, price in judged.items() if price.tier in tiers]
