"""Turn an action into the transactions that perform it, in order."""

from typing import Final

from eth_utils.crypto import keccak

from paimon_devkit.market import actions as market_actions
from paimon_devkit.market.config import ADMIN, THIRD_PARTY, TRADER
from paimon_devkit.market.exchange import Call, Exchange

_CONTROLLER: Final = "AssetController"
_MANAGER: Final = "RedemptionManager"
_PERMISSIONLESS_CALLS: Final = {
    market_actions.RefreshCache: (_CONTROLLER, "refreshCache"),
    market_actions.UpdateNav: ("Vault", "updateNav"),
    market_actions.AccrueManagementFee: (_CONTROLLER, "accrueManagementFee"),
    market_actions.AccruePerformanceFee: (_CONTROLLER, "accruePerformanceFee"),
}
"""Calls without arguments that any account may make."""


def calls_for_action(action: market_actions.Action, exchange: Exchange) -> tuple[Call, ...]:
    """Return the transactions of an action: none for PassTime, several where several contracts take part."""
    match action:
        case market_actions.PassTime():
            return ()
        case market_actions.Deposit(investor=name, amount=amount):
            return (exchange.call(name, "Vault", "deposit", amount, exchange.address(name)),)
        case market_actions.MintShares(investor=name, shares=shares):
            return (exchange.call(name, "Vault", "mint", shares, exchange.address(name)),)
        case market_actions.TransferShares(sender=sender, receiver=receiver, shares=shares):
            return (exchange.call(sender, "Vault", "transfer", exchange.address(receiver), shares),)
        case market_actions.RequestRedemption(investor=name, shares=shares, receiver=receiver):
            emergency = isinstance(action, market_actions.RequestEmergency)
            function = "requestEmergencyRedemption" if emergency else "requestRedemption"
            return (exchange.call(name, _MANAGER, function, shares, exchange.address(receiver)),)
        case market_actions.CancelRequest(investor=name, request_id=request_id):
            return (exchange.call(name, _MANAGER, "cancelRedemption", request_id),)
        case market_actions.Approve(approver=name, request_id=request_id):
            return (exchange.call(name, _MANAGER, "approveRedemption", request_id),)
        case market_actions.Reject(approver=name, request_id=request_id, reason=reason):
            return (exchange.call(name, _MANAGER, "rejectRedemption", request_id, reason),)
        case market_actions.Settle(request_id=request_id):
            return (exchange.call(THIRD_PARTY, _MANAGER, "settleRedemption", request_id),)
        case market_actions.SettleScheduled(request_id=request_id):
            return (exchange.call(THIRD_PARTY, _MANAGER, "settleScheduledRedemption", request_id),)
        case market_actions.SettleBatch(count=count):
            return (exchange.call(THIRD_PARTY, _MANAGER, "batchSettleRedemptions", count),)
        case (
            market_actions.RefreshCache()
            | market_actions.UpdateNav()
            | market_actions.AccrueManagementFee()
            | market_actions.AccruePerformanceFee()
        ):
            return (exchange.call(THIRD_PARTY, *_PERMISSIONLESS_CALLS[type(action)]),)
        case _:
            return _price_calls(action, exchange) or _trader_calls(action, exchange) or _admin_calls(action, exchange)


def _price_calls(action: market_actions.Action, exchange: Exchange) -> tuple[Call, ...]:
    match action:
        case market_actions.MovePrices(quotes=quotes):
            return tuple(
                exchange.call(ADMIN, "OracleAdapter", "setPrice", exchange.tokens[symbol], price) for symbol, price in quotes
            )
        case market_actions.ShockPrice(symbol=symbol, price=price):
            return (exchange.call(ADMIN, "OracleAdapter", "setPrice", exchange.tokens[symbol], price),)
        case market_actions.PublishStalePrice(symbol=symbol, price=price, updated_at=updated_at):
            return (exchange.call(ADMIN, "OracleAdapter", "setPriceWithTimestamp", exchange.tokens[symbol], price, updated_at),)
        case market_actions.SetImpact(symbol=symbol, impact_bps=impact_bps):
            return (exchange.call(ADMIN, "SwapHelper", "setPriceImpactBps", exchange.tokens[symbol], impact_bps),)
        case market_actions.EarnYield(symbol=symbol, amount=amount):
            return (exchange.adapter(THIRD_PARTY, symbol, "earn", amount),)
        case _:
            return ()


def _trader_calls(action: market_actions.Action, exchange: Exchange) -> tuple[Call, ...]:
    def controller(function: str, *args: object) -> tuple[Call, ...]:
        return (exchange.call(TRADER, _CONTROLLER, function, *args),)

    match action:
        case market_actions.Buy(symbol=symbol, amount=amount) | market_actions.BuyBelowMinimum(symbol=symbol, amount=amount):
            return controller("purchaseAsset", exchange.tokens[symbol], amount)
        case market_actions.Sell(symbol=symbol, tokens=tokens):
            return controller("redeemAsset", exchange.tokens[symbol], tokens)
        case market_actions.AllocateToLayer(tier=tier, amount=amount):
            return controller("allocateToLayer", tier, amount)
        case market_actions.RebalanceBuffer():
            return controller("rebalanceBuffer")
        case market_actions.Waterfall(amount=amount, tier_max=tier_max):
            return controller("executeWaterfallLiquidation", amount, tier_max)
        case market_actions.CompoundYield():
            return controller("compoundYield")
        case market_actions.UpdateAllocation(symbol=symbol, allocation_bps=allocation_bps):
            return controller("updateAssetAllocation", exchange.tokens[symbol], allocation_bps)
        case market_actions.CreateOtcOrder(symbol=symbol, amount=amount, tokens=tokens, expires_in_seconds=expires_in):
            counterparty = exchange.contracts["Counterparty"]
            return controller("createOTCOrder", exchange.tokens[symbol], amount, tokens, counterparty, expires_in)
        case market_actions.PayOtcOrder(order_id=order_id):
            return controller("executeOTCPayment", order_id)
        case market_actions.DeliverOtcOrder(order_id=order_id, symbol=symbol, tokens=tokens):
            # One sender for both, so that the nonces keep the order.
            otc_manager = exchange.contracts["OTCManager"]
            delivery = exchange.call(TRADER, "Counterparty", "deliver", exchange.tokens[symbol], otc_manager, tokens)
            return (delivery, *controller("confirmOTCDelivery", order_id, tokens))
        case _:
            return ()


def _admin_calls(action: market_actions.Action, exchange: Exchange) -> tuple[Call, ...]:
    def controller(function: str, *args: object) -> tuple[Call, ...]:
        return (exchange.call(ADMIN, _CONTROLLER, function, *args),)

    match action:
        case market_actions.CancelOtcOrder(order_id=order_id):
            return (exchange.call(ADMIN, "OTCManager", "cancelOrder", order_id),)
        case market_actions.SetHighWaterMark(value=value):
            return controller("setLayer3HighWaterMark", value)
        case market_actions.CollectFees():
            return controller("collectFees")
        case market_actions.WithdrawRedemptionFees(amount=amount):
            return controller("withdrawRedemptionFees", amount)
        case market_actions.SetFeeRecipient(recipient=recipient):
            return controller("setFeeRecipient", exchange.address(recipient))
        case market_actions.SetLayerConfig(tier=tier, target_bps=target, min_bps=low, max_bps=high):
            return controller("setLayerConfig", tier, target, low, high)
        case market_actions.SetPurchaseTerms(symbol=symbol) as terms:
            values = (terms.method, terms.slippage_bps, terms.minimum, terms.opens_at, terms.closes_at)
            return controller("setAssetPurchaseConfig", exchange.tokens[symbol], *values)
        case market_actions.SwitchRoute(symbol=symbol, through_adapter=through_adapter):
            adapter = exchange.adapters[symbol] if through_adapter else _ZERO_ADDRESS
            return controller("setAssetAdapter", exchange.tokens[symbol], adapter)
        case market_actions.ListAsset(symbol=symbol, tier=tier, allocation_bps=allocation_bps):
            return controller("addAssetSimple", exchange.tokens[symbol], tier, allocation_bps)
        case market_actions.DelistAsset(symbol=symbol, tokens=tokens):
            sold = (exchange.call(TRADER, _CONTROLLER, "redeemAsset", exchange.tokens[symbol], tokens),) if tokens else ()
            return (*sold, *controller("removeAsset", exchange.tokens[symbol]))
        case market_actions.GrantRole(contract=contract, role=role, account=account):
            return (exchange.call(ADMIN, contract, "grantRole", role_id(role), exchange.address(account)),)
        case market_actions.RevokeRole(contract=contract, role=role, account=account):
            return (exchange.call(ADMIN, contract, "revokeRole", role_id(role), exchange.address(account)),)
        case market_actions.Pause(contract=contract):
            return (exchange.call(ADMIN, contract, "pause"),)
        case market_actions.Unpause(contract=contract):
            return (exchange.call(ADMIN, contract, "unpause"),)
        case market_actions.EmergencyOn() | market_actions.EmergencyOff():
            return (exchange.call(ADMIN, "Vault", "setEmergencyMode", isinstance(action, market_actions.EmergencyOn)),)
        case market_actions.MoveWindow(window_id=window_id, settles_at=settles_at):
            return (exchange.call(ADMIN, "AssetScheduler", "moveWindow", window_id, settles_at),)
        case market_actions.EmergencyWithdraw(symbol=symbol, amount=amount):
            return (
                exchange.call(ADMIN, "Vault", "emergencyWithdraw", exchange.tokens[symbol], exchange.address(ADMIN), amount),
            )
        case _:
            raise AssertionError(f"no call performs {action.kind}")


_ZERO_ADDRESS: Final = "0x" + "00" * 20


def role_id(role: str) -> bytes:
    """Return the id of a role: the hash of its name."""
    return bytes(keccak(text=role))
