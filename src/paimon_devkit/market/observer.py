"""Read the market's state from the chain at its newest block.

A request that a prediction closed may still be open, because its action reverted. The observer therefore remembers what was
open at its last read, and reads all of that again, and everything newer.
"""

from typing import Any, Final

from paimon_devkit.market.actions import USDT
from paimon_devkit.market.admins import GUEST_ROLES
from paimon_devkit.market.calls import role_id
from paimon_devkit.market.config import GUEST_ASSET, GUESTS, INVESTORS
from paimon_devkit.market.exchange import GUEST_ASSET_DECIMALS, GUEST_ASSET_TIER, Exchange
from paimon_devkit.market.market_state import (
    CONTROLLER,
    DAY,
    MANAGER,
    VAULT,
    Asset,
    Investor,
    MarketState,
    Order,
    OrderStatus,
    RedemptionChannel,
    Request,
    RequestStatus,
    window_date,
)
from paimon_devkit.market.node import Node

_CHANNELS: Final = (RedemptionChannel.STANDARD, RedemptionChannel.EMERGENCY, RedemptionChannel.SCHEDULED)
_WINDOW_AHEAD_SECONDS: Final = 200 * DAY

_ContractQuery = tuple[str, str, str, tuple[Any, ...]]
"""The contract's ABI, its address, the function and its arguments."""


class Observer:
    """A reader of the state that remembers the open requests and orders."""

    def __init__(self, node: Node, exchange: Exchange) -> None:
        self._node = node
        self._exchange = exchange
        self._names = {account.address.lower(): name for name, account in exchange.accounts.items()}
        self._open_requests: set[int] = set()
        self._requests_seen = 0
        self._open_orders: set[int] = set()
        self._orders_seen = 0
        self._anchors: dict[str, int] = {}

    def read_state(self) -> MarketState:
        """Read the present state."""
        head = self._node.call("eth_getBlockByNumber", "latest", False)
        state = MarketState(now=int(head["timestamp"], 16), investors={}, assets={})
        self._fund(state)
        self._investors(state)
        self._assets(state)
        self._requests(state)
        self._orders(state)
        return state

    def _fund(self, state: MarketState) -> None:
        state.cash, state.supply, state.locked, state.liability, state.redemption_fees = self._call_batch([
            self._token_query(USDT, "balanceOf", self._exchange.fund.vault),
            *(self._query(VAULT, name) for name in ("totalSupply", "totalLockedShares", "totalRedemptionLiability")),
            self._query(VAULT, "withdrawableRedemptionFees"),
        ])  # fmt: skip
        fees, recipient, state.emergency, *paused = self._call_batch(
            [
                self._query(CONTROLLER, "getPendingFees"),
                self._query(CONTROLLER, "feeRecipient"),
                self._query(VAULT, "emergencyMode"),
                *(self._query(name, "paused") for name in (VAULT, MANAGER, CONTROLLER)),
            ]
        )
        state.pending_fees, state.high_water_mark = fees["total"], fees["highWaterMark"]
        state.fee_recipient = self._name(recipient)
        state.paused = {name for name, is_paused in zip((VAULT, MANAGER, CONTROLLER), paused, strict=True) if is_paused}
        layers = self._call_batch([self._query(CONTROLLER, "getLayerConfigs")])[0]
        state.targets_bps = {tier: layers[f"layer{tier + 1}"]["targetRatio"] for tier in range(3)}
        grants = [(contract, role, guest) for contract, role in GUEST_ROLES for guest in GUESTS]
        held = self._call_batch([
            self._query(contract, "hasRole", role_id(role), self._exchange.address(guest)) for contract, role, guest in grants
        ])  # fmt: skip
        state.grants = {grant for grant, holds in zip(grants, held, strict=True) if holds}

    def _investors(self, state: MarketState) -> None:
        for name in INVESTORS:
            state.investors[name] = Investor()
        addresses = [self._exchange.address(name) for name in INVESTORS]
        answers = self._call_batch(
            [
                *(self._token_query(USDT, "balanceOf", address) for address in addresses),
                *(self._query(VAULT, "balanceOf", address) for address in addresses),
                *(self._query(VAULT, "lockedSharesOf", address) for address in addresses),
            ]
        )
        count = len(addresses)
        for number, name in enumerate(INVESTORS):
            usdt, shares, locked = answers[number], answers[count + number], answers[2 * count + number]
            state.investors[name] = Investor(usdt, shares, locked)

    def _assets(self, state: MarketState) -> None:
        """Read the fund's assets, and the one that the market lists and delists."""
        listed_assets = [(asset.symbol, asset.tier, asset.decimals) for asset in self._exchange.fund.assets]
        listed_assets.append((GUEST_ASSET, GUEST_ASSET_TIER, GUEST_ASSET_DECIMALS))
        tokens = [self._exchange.tokens[symbol] for symbol, _, _ in listed_assets]
        configs = {config["token"]: config for config in self._call_batch([self._query(CONTROLLER, "getAssetConfigs")])[0]}
        prices = self._call_batch([self._query("OracleAdapter", "getPrice", token) for token in tokens])
        impacts = self._call_batch([self._query("SwapHelper", "priceImpactBps", token) for token in tokens])
        balances = self._call_batch(
            [self._token_query(symbol, "balanceOf", self._exchange.fund.vault) for symbol, _, _ in listed_assets]
        )
        for number, (symbol, tier, decimals) in enumerate(listed_assets):
            anchor = self._anchors.setdefault(symbol, prices[number])
            asset = Asset(tier, decimals, prices[number], anchor, balances[number], impact_bps=impacts[number])
            asset.has_adapter = symbol in self._exchange.adapters
            config = configs.get(bytes.fromhex(tokens[number][2:]))
            asset.listed = bool(config and config["isActive"])
            if config:
                asset.allocation_bps, asset.method = config["targetAllocation"], config["purchaseMethod"]
                asset.slippage_bps, asset.minimum = config["maxSlippage"], config["minPurchaseAmount"]
                asset.opens_at, asset.closes_at = config["subscriptionStart"], config["subscriptionEnd"]
                asset.through_adapter = any(config["purchaseAdapter"])
            state.assets[symbol] = asset
        adapters = self._exchange.adapters
        earned = self._call_batch([("PurchaseAdapter", address, "earnedYield", ()) for address in adapters.values()])
        state.earned = dict(zip(adapters, earned, strict=True))

    def _requests(self, state: MarketState) -> None:
        count = self._call_batch([self._query(MANAGER, "getRequestCount")])[0]
        ids = sorted(self._open_requests | set(range(self._requests_seen + 1, count + 1)))
        answers = self._call_batch([self._query(MANAGER, "getRedemptionRequest", request_id) for request_id in ids])
        for request_id, answer in zip(ids, answers, strict=True):
            if answer["status"] not in tuple(RequestStatus):
                continue
            state.requests[request_id] = Request(
                owner=self._name(answer["owner"]),
                receiver=self._name(answer["receiver"]),
                shares=answer["shares"],
                gross=answer["grossAmount"],
                channel=_CHANNELS[answer["channel"]],
                status=RequestStatus(answer["status"]),
                due_at=answer["settlementTime"],
                window_id=answer["windowId"],
            )
        self._open_requests, self._requests_seen, state.request_count = set(state.requests), count, count
        self._windows(state)

    def _windows(self, state: MarketState) -> None:
        """Read when the booked windows and the next ones settle now: on chain a request keeps its first date."""
        ids = {request.window_id for request in state.requests.values() if request.window_id}
        ahead = state.now
        while ahead < state.now + _WINDOW_AHEAD_SECONDS:
            window_id, _ = state.window_after(ahead)
            ids.add(window_id)
            ahead = window_date(window_id) + 1
        times = self._call_batch(
            [self._query("AssetScheduler", "getWindowSettlementTime", window_id) for window_id in sorted(ids)]
        )
        settles_at = dict(zip(sorted(ids), times, strict=True))
        state.moved_windows = {window_id: at for window_id, at in settles_at.items() if at != window_date(window_id)}
        for request in state.requests.values():
            if request.window_id:
                request.due_at = settles_at[request.window_id]

    def _orders(self, state: MarketState) -> None:
        count = self._call_batch([self._query("OTCManager", "orderCount")])[0]
        ids = sorted(self._open_orders | set(range(self._orders_seen + 1, count + 1)))
        symbols = {bytes.fromhex(token[2:]): symbol for symbol, token in self._exchange.tokens.items()}
        answers = self._call_batch([self._query("OTCManager", "getOrder", order_id) for order_id in ids])
        for order_id, answer in zip(ids, answers, strict=True):
            if answer["status"] in tuple(OrderStatus):
                state.orders[order_id] = Order(
                    symbols[answer["rwaToken"]],
                    answer["usdtAmount"],
                    answer["expectedTokens"],
                    OrderStatus(answer["status"]),
                    answer["expiresAt"],
                )
        self._open_orders, self._orders_seen, state.order_count = set(state.orders), count, count

    def _name(self, address: bytes) -> str:
        text = "0x" + address.hex()
        return self._names.get(text, text)

    def _query(self, contract: str, function: str, *args: Any) -> _ContractQuery:
        return contract, self._exchange.contracts[contract], function, args

    def _token_query(self, symbol: str, function: str, *args: Any) -> _ContractQuery:
        return "TestToken", self._exchange.tokens[symbol], function, args

    def _call_batch(self, queries: list[_ContractQuery]) -> list[Any]:
        abis = self._exchange.abis
        answers = self._node.batch(
            ("eth_call", [{"to": address, "data": "0x" + abis[name].encode_call(function, *args).hex()}, "latest"])
            for name, address, function, args in queries
        )
        return [
            abis[name].decode_result(function, bytes.fromhex(answer[2:]))
            for (name, _, function, _), answer in zip(queries, answers, strict=True)
        ]
