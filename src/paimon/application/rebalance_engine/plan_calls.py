"""Turn the trades of a plan into calls of the AssetController: sales first, then purchases from the cash that is there.

    sale        redeemAsset(token, tokens worth the amount at the plan's price); a whole holding is sold to its last token
    purchase    purchaseAsset(token, cash)

Both take the route that the controller has for the asset: its adapter or the swap helper. L3 is sold by `redeemAsset` only: the
contract's waterfall never sells it. Orders with a counterparty (`createOTCOrder`) are made by people.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from paimon.application.rebalance_engine.queries import TradeDone
from paimon.application.transactions.plans.calls import PlanRequest, RequestedCall
from paimon.domain.approval.policy import Initiator
from paimon.domain.kernel.chain import Address, ContractName, checksum
from paimon.domain.kernel.units import RawAmount, Rounding, divide
from paimon.domain.rebalance.decision import PlanResult
from paimon.domain.rebalance.rebalance_plan import AskedTrade, NoPlan, Side, Trade
from paimon.domain.rebalance.rebalance_record import RebalanceRecord, TradeCall
from paimon.domain.transaction.plan import CALLS_MAX
from paimon.domain.transaction.wallet_selection import RebalancerFunction
from paimon.domain.vault.fund_snapshot import AssetPosition, FundSnapshot, token_value

_SIDE_ORDER: Final = {Side.SELL: 0, Side.BUY: 1}


def trade_calls(result: PlanResult, snapshot: FundSnapshot) -> tuple[TradeCall, ...]:
    """Return the calls of a plan, at the prices of the snapshot that it was made from; at most CALLS_MAX.

    Of a longer plan the smallest purchases, and after them the smallest sales, are left to the next one. What the decision
    expects is the fund without them.
    """
    if isinstance(result, NoPlan):
        return ()
    positions = {position.token: position for position in snapshot.assets}
    trades = [explained.trade for explained in result.trades]
    ordered = sorted(trades, key=lambda trade: (_SIDE_ORDER[trade.side], -trade.amount, trade.token))
    return tuple(_call(trade, positions) for trade in ordered[:CALLS_MAX])


def _call(trade: Trade, positions: Mapping[Address, AssetPosition]) -> TradeCall:
    position = positions[trade.token]
    price = position.price or RawAmount(0)
    amount = trade.amount
    if trade.side is Side.SELL:
        tokens = divide(trade.amount * 10**position.decimals, price, rounding=Rounding.UP)
        amount = RawAmount(min(tokens, position.balance))
    return TradeCall(trade.side, trade.token, amount, price, position.decimals)


def reversed_trades(done: Sequence[TradeDone], snapshot: FundSnapshot) -> tuple[AskedTrade, ...]:
    """Return the trades that undo these: sell what was bought, at the snapshot's prices, and buy for what a sale brought."""
    positions = {position.token: position for position in snapshot.assets}

    def undo(trade: TradeDone) -> AskedTrade:
        if not trade.is_purchase:
            return AskedTrade(Side.BUY, trade.token, trade.usdt)
        position = positions.get(trade.token)
        value = 0 if position is None else token_value(trade.tokens, position.price or 0, position.decimals)
        return AskedTrade(Side.SELL, trade.token, RawAmount(value))

    return tuple(sorted(map(undo, done), key=lambda trade: _SIDE_ORDER[trade.side]))


def plan_request(record: RebalanceRecord) -> PlanRequest:
    """Return the plan of a decision, as its planner or the person who asked for it submits it."""
    calls = tuple(_requested(call) for call in record.calls)
    initiator = Initiator.PLANNER if record.requested_by is None else Initiator.OPERATOR
    return PlanRequest(record.key, record.key, calls, record.reason, initiator, is_of_engine=True)


def _requested(call: TradeCall) -> RequestedCall:
    function, amount = (
        (RebalancerFunction.REDEEM, "tokenAmount") if call.side is Side.SELL else (RebalancerFunction.PURCHASE, "usdtAmount")
    )
    arguments = {"token": checksum(call.token), amount: str(call.amount)}
    return RequestedCall(ContractName.ASSET_CONTROLLER, function, arguments)
