"""An action as the transactions that perform it, in order."""

from typing import Final

from eth_utils.crypto import keccak

from paimon_devkit.market import actions as act
from paimon_devkit.market.config import ADMIN, PASSERBY, TRADER
from paimon_devkit.market.exchange import Call, Venue

_CONTROLLER: Final = "AssetController"
_MANAGER: Final = "RedemptionManager"
_OPEN_DOORS: Final = {
    act.RefreshCache: (_CONTROLLER, "refreshCache"),
    act.UpdateNav: ("Vault", "updateNav"),
    act.AccrueManagementFee: (_CONTROLLER, "accrueManagementFee"),
    act.AccruePerformanceFee: (_CONTROLLER, "accruePerformanceFee"),
}
"""Calls without arguments that anyone may make."""


def calls(action: act.Action, venue: Venue) -> tuple[Call, ...]:
    """None for PassTime; more than one where several contracts take part."""
    match action:
        case act.PassTime():
            return ()
        case act.Deposit(investor=name, amount=amount):
            return (venue.call(name, "Vault", "deposit", amount, venue.address(name)),)
        case act.MintShares(investor=name, shares=shares):
            return (venue.call(name, "Vault", "mint", shares, venue.address(name)),)
        case act.TransferShares(sender=sender, receiver=receiver, shares=shares):
            return (venue.call(sender, "Vault", "transfer", venue.address(receiver), shares),)
        case act.RequestRedemption(investor=name, shares=shares, receiver=receiver):
            emergency = isinstance(action, act.RequestEmergency)
            function = "requestEmergencyRedemption" if emergency else "requestRedemption"
            return (venue.call(name, _MANAGER, function, shares, venue.address(receiver)),)
        case act.CancelRequest(investor=name, request_id=request_id):
            return (venue.call(name, _MANAGER, "cancelRedemption", request_id),)
        case act.Approve(approver=name, request_id=request_id):
            return (venue.call(name, _MANAGER, "approveRedemption", request_id),)
        case act.Reject(approver=name, request_id=request_id, reason=reason):
            return (venue.call(name, _MANAGER, "rejectRedemption", request_id, reason),)
        case act.Settle(request_id=request_id):
            return (venue.call(PASSERBY, _MANAGER, "settleRedemption", request_id),)
        case act.SettleScheduled(request_id=request_id):
            return (venue.call(PASSERBY, _MANAGER, "settleScheduledRedemption", request_id),)
        case act.SettleBatch(count=count):
            return (venue.call(PASSERBY, _MANAGER, "batchSettleRedemptions", count),)
        case act.RefreshCache() | act.UpdateNav() | act.AccrueManagementFee() | act.AccruePerformanceFee():
            return (venue.call(PASSERBY, *_OPEN_DOORS[type(action)]),)
        case _:
            return _of_prices(action, venue) or _of_trader(action, venue) or _of_admin(action, venue)


def _of_prices(action: act.Action, venue: Venue) -> tuple[Call, ...]:
    match action:
        case act.MovePrices(quotes=quotes):
            return tuple(
                venue.call(ADMIN, "OracleAdapter", "setPrice", venue.tokens[symbol], price) for symbol, price in quotes
            )
        case act.ShockPrice(symbol=symbol, price=price):
            return (venue.call(ADMIN, "OracleAdapter", "setPrice", venue.tokens[symbol], price),)
        case act.QuoteLate(symbol=symbol, price=price, updated_at=updated_at):
            return (venue.call(ADMIN, "OracleAdapter", "setPriceWithTimestamp", venue.tokens[symbol], price, updated_at),)
        case act.SetImpact(symbol=symbol, impact_bps=impact_bps):
            return (venue.call(ADMIN, "SwapHelper", "setPriceImpactBps", venue.tokens[symbol], impact_bps),)
        case act.EarnYield(symbol=symbol, amount=amount):
            return (venue.adapter(PASSERBY, symbol, "earn", amount),)
        case _:
            return ()


def _of_trader(action: act.Action, venue: Venue) -> tuple[Call, ...]:
    def controller(function: str, *args: object) -> tuple[Call, ...]:
        return (venue.call(TRADER, _CONTROLLER, function, *args),)

    match action:
        case act.Buy(symbol=symbol, amount=amount) | act.BuyBelowMinimum(symbol=symbol, amount=amount):
            return controller("purchaseAsset", venue.tokens[symbol], amount)
        case act.Sell(symbol=symbol, tokens=tokens):
            return controller("redeemAsset", venue.tokens[symbol], tokens)
        case act.AllocateToLayer(tier=tier, amount=amount):
            return controller("allocateToLayer", tier, amount)
        case act.RebalanceBuffer():
            return controller("rebalanceBuffer")
        case act.Waterfall(amount=amount, tier_max=tier_max):
            return controller("executeWaterfallLiquidation", amount, tier_max)
        case act.CompoundYield():
            return controller("compoundYield")
        case act.UpdateAllocation(symbol=symbol, allocation_bps=allocation_bps):
            return controller("updateAssetAllocation", venue.tokens[symbol], allocation_bps)
        case act.CreateOtcOrder(symbol=symbol, amount=amount, tokens=tokens, expires_in_seconds=expires_in):
            counterparty = venue.contracts["Counterparty"]
            return controller("createOTCOrder", venue.tokens[symbol], amount, tokens, counterparty, expires_in)
        case act.PayOtcOrder(order_id=order_id):
            return controller("executeOTCPayment", order_id)
        case act.DeliverOtcOrder(order_id=order_id, symbol=symbol, tokens=tokens):
            # One sender for both, so that its nonces keep their order.
            otc_manager = venue.contracts["OTCManager"]
            ready = venue.call(TRADER, "Counterparty", "deliver", venue.tokens[symbol], otc_manager, tokens)
            return (ready, *controller("confirmOTCDelivery", order_id, tokens))
        case _:
            return ()


def _of_admin(action: act.Action, venue: Venue) -> tuple[Call, ...]:
    def controller(function: str, *args: object) -> tuple[Call, ...]:
        return (venue.call(ADMIN, _CONTROLLER, function, *args),)

    match action:
        case act.CancelOtcOrder(order_id=order_id):
            return (venue.call(ADMIN, "OTCManager", "cancelOrder", order_id),)
        case act.SetHighWaterMark(value=value):
            return controller("setLayer3HighWaterMark", value)
        case act.CollectFees():
            return controller("collectFees")
        case act.WithdrawRedemptionFees(amount=amount):
            return controller("withdrawRedemptionFees", amount)
        case act.SetFeeRecipient(recipient=recipient):
            return controller("setFeeRecipient", venue.address(recipient))
        case act.SetLayerConfig(tier=tier, target_bps=target, min_bps=low, max_bps=high):
            return controller("setLayerConfig", tier, target, low, high)
        case act.SetPurchaseTerms(symbol=symbol) as terms:
            figures = (terms.method, terms.slippage_bps, terms.minimum, terms.opens_at, terms.closes_at)
            return controller("setAssetPurchaseConfig", venue.tokens[symbol], *figures)
        case act.SwitchRoute(symbol=symbol, through_adapter=through_adapter):
            adapter = venue.adapters[symbol] if through_adapter else _NOBODY
            return controller("setAssetAdapter", venue.tokens[symbol], adapter)
        case act.ListAsset(symbol=symbol, tier=tier, allocation_bps=allocation_bps):
            return controller("addAssetSimple", venue.tokens[symbol], tier, allocation_bps)
        case act.DelistAsset(symbol=symbol, tokens=tokens):
            sold = (venue.call(TRADER, _CONTROLLER, "redeemAsset", venue.tokens[symbol], tokens),) if tokens else ()
            return (*sold, *controller("removeAsset", venue.tokens[symbol]))
        case act.GrantRole(contract=contract, role=role, account=account):
            return (venue.call(ADMIN, contract, "grantRole", role_id(role), venue.address(account)),)
        case act.RevokeRole(contract=contract, role=role, account=account):
            return (venue.call(ADMIN, contract, "revokeRole", role_id(role), venue.address(account)),)
        case act.Pause(contract=contract):
            return (venue.call(ADMIN, contract, "pause"),)
        case act.Unpause(contract=contract):
            return (venue.call(ADMIN, contract, "unpause"),)
        case act.EmergencyOn() | act.EmergencyOff():
            return (venue.call(ADMIN, "Vault", "setEmergencyMode", isinstance(action, act.EmergencyOn)),)
        case act.MoveWindow(window_id=window_id, settles_at=settles_at):
            return (venue.call(ADMIN, "AssetScheduler", "moveWindow", window_id, settles_at),)
        case act.EmergencyWithdraw(symbol=symbol, amount=amount):
            return (venue.call(ADMIN, "Vault", "emergencyWithdraw", venue.tokens[symbol], venue.address(ADMIN), amount),)
        case _:
            raise AssertionError(f"nobody performs {action.kind}")


_NOBODY: Final = "0x" + "00" * 20


def role_id(role: str) -> bytes:
    return bytes(keccak(text=role))
