"""What has happened to the fund that may start a plan, since each condition fired last and within a day at most."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from paimon.application.nav.store import find_kept_snapshot_at
from paimon.application.rebalance_engine.queries import load_largest_deposit
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import BPS_ONE, Bps, Rounding, divide
from paimon.domain.rebalance.triggers import ConditionMemory, ConditionName, FundEvents
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.infrastructure.database.sessions import ReadSession

_WITHIN: Final = timedelta(days=1)


async def load_events(session: ReadSession, snapshot: FundSnapshot, memory: Mapping[str, ConditionMemory]) -> FundEvents:
    """Load the events up to the snapshot's block."""
    at = snapshot.at.timestamp

    def since(condition: ConditionName) -> datetime:
        fired_at = memory.get(condition, ConditionMemory()).fired_at
        return max(fired_at or at - _WITHIN, at - _WITHIN)

    earlier = await find_kept_snapshot_at(session, since(ConditionName.PRICE_MOVE))
    return FundEvents(
        largest_deposit=await load_largest_deposit(session, since=since(ConditionName.DEPOSIT), until=at),
        opened=tuple(
            position.token
            for position in snapshot.assets
            if position.is_listed
            and position.terms.subscription_start is not None
            and since(ConditionName.WINDOW_OPENED) < position.terms.subscription_start <= at
        ),
        price_moves={} if earlier is None else price_moves(earlier, snapshot),
    )


def price_moves(earlier: FundSnapshot, later: FundSnapshot) -> dict[Address, Bps]:
    """Return how far the price of each asset that is held moved, rounded away from zero."""
    before = {position.token: position.price for position in earlier.assets}
    moves = {}
    for position in later.assets:
        old = before.get(position.token)
        if not old or position.price is None or not position.balance:
            continue
        size = divide(abs(position.price - old) * BPS_ONE, old, rounding=Rounding.UP)
        moves[position.token] = Bps(size if position.price >= old else -size)
    return moves
