"""The world read from the chain, at its newest block.

What a prediction believes closed may still be open, when an action failed. So the observer keeps its own record of what
was open at its last look, and asks again for all of that and for everything newer.
"""

from typing import Any, Final

from paimon_devkit.market.actions import USDT
from paimon_devkit.market.admins import GUEST_ROLES
from paimon_devkit.market.calls import role_id
from paimon_devkit.market.config import GUEST_ASSET, GUESTS, INVESTORS
from paimon_devkit.market.exchange import GUEST_ASSET_DECIMALS, GUEST_ASSET_TIER, Venue
from paimon_devkit.market.market_state import (
    CONTROLLER,
    DAY,
    MANAGER,
    VAULT,
    Asset,
    Channel,
    Investor,
    Order,
    OrderStatus,
    Request,
    RequestStatus,
    World,
    calendar_of,
)
from paimon_devkit.market.node import Node

_CHANNELS: Final = (Channel.STANDARD, Channel.EMERGENCY, Channel.SCHEDULED)
_WINDOW_AHEAD_SECONDS: Final = 200 * DAY

_Question = tuple[str, str, str, tuple[Any, ...]]
"""Contract's ABI, its address, function, arguments."""


class Observer:
    """One pair of eyes; remembers what it saw open."""

    def __init__(self, node: Node, venue: Venue) -> None:
        self._node = node
        self._venue = venue
        self._names = {account.address.lower(): name for name, account in venue.accounts.items()}
        self._open_requests: set[int] = set()
        self._requests_seen = 0
        self._open_orders: set[int] = set()
        self._orders_seen = 0
        self._anchors: dict[str, int] = {}

    def look(self) -> World:
        """The present world."""
        head = self._node.call("eth_getBlockByNumber", "latest", False)
        world = World(now=int(head["timestamp"], 16), investors={}, assets={})
        self._fund(world)
        self._investors(world)
        self._assets(world)
        self._requests(world)
        self._orders(world)
        return world

    def _fund(self, world: World) -> None:
        def flag(contract: str, function: str) -> _Question:
            return self._at(contract, function)

        world.cash, world.supply, world.locked, world.liability, world.redemption_fees = self._ask([
            self._token(USDT, "balanceOf", self._venue.fund.vault),
            *(self._at(VAULT, name) for name in ("totalSupply", "totalLockedShares", "totalRedemptionLiability")),
            self._at(VAULT, "withdrawableRedemptionFees"),
        ])  # fmt: skip
        fees, recipient, world.emergency, *paused = self._ask(
            [
                self._at(CONTROLLER, "getPendingFees"),
                self._at(CONTROLLER, "feeRecipient"),
                flag(VAULT, "emergencyMode"),
                *(flag(name, "paused") for name in (VAULT, MANAGER, CONTROLLER)),
            ]
        )
        world.pending_fees, world.high_water_mark = fees["total"], fees["highWaterMark"]
        world.fee_recipient = self._name(recipient)
        world.paused = {name for name, is_paused in zip((VAULT, MANAGER, CONTROLLER), paused, strict=True) if is_paused}
        layers = self._ask([self._at(CONTROLLER, "getLayerConfigs")])[0]
        world.targets_bps = {tier: layers[f"layer{tier + 1}"]["targetRatio"] for tier in range(3)}
        grants = [(contract, role, guest) for contract, role in GUEST_ROLES for guest in GUESTS]
        held = self._ask([
            self._at(contract, "hasRole", role_id(role), self._venue.address(guest)) for contract, role, guest in grants
        ])  # fmt: skip
        world.grants = {grant for grant, holds in zip(grants, held, strict=True) if holds}

    def _investors(self, world: World) -> None:
        for name in INVESTORS:
            world.investors[name] = Investor()
        people = [self._venue.address(name) for name in INVESTORS]
        answers = self._ask(
            [
                *(self._token(USDT, "balanceOf", each) for each in people),
                *(self._at(VAULT, "balanceOf", each) for each in people),
                *(self._at(VAULT, "lockedSharesOf", each) for each in people),
            ]
        )
        count = len(people)
        for number, name in enumerate(INVESTORS):
            usdt, shares, locked = answers[number], answers[count + number], answers[2 * count + number]
            world.investors[name] = Investor(usdt, shares, locked)

    def _assets(self, world: World) -> None:
        """The fund's own, and the one that is listed and delisted."""
        plans = [(each.symbol, each.tier, each.decimals) for each in self._venue.fund.assets]
        plans.append((GUEST_ASSET, GUEST_ASSET_TIER, GUEST_ASSET_DECIMALS))
        tokens = [self._venue.tokens[symbol] for symbol, _, _ in plans]
        configs = {each["token"]: each for each in self._ask([self._at(CONTROLLER, "getAssetConfigs")])[0]}
        prices = self._ask([self._at("OracleAdapter", "getPrice", token) for token in tokens])
        impacts = self._ask([self._at("SwapHelper", "priceImpactBps", token) for token in tokens])
        balances = self._ask([self._token(symbol, "balanceOf", self._venue.fund.vault) for symbol, _, _ in plans])
        for number, (symbol, tier, decimals) in enumerate(plans):
            anchor = self._anchors.setdefault(symbol, prices[number])
            asset = Asset(tier, decimals, prices[number], anchor, balances[number], impact_bps=impacts[number])
            asset.has_adapter = symbol in self._venue.adapters
            config = configs.get(bytes.fromhex(tokens[number][2:]))
            asset.listed = bool(config and config["isActive"])
            if config:
                asset.allocation_bps, asset.method = config["targetAllocation"], config["purchaseMethod"]
                asset.slippage_bps, asset.minimum = config["maxSlippage"], config["minPurchaseAmount"]
                asset.opens_at, asset.closes_at = config["subscriptionStart"], config["subscriptionEnd"]
                asset.through_adapter = any(config["purchaseAdapter"])
            world.assets[symbol] = asset
        adapters = self._venue.adapters
        earned = self._ask([("PurchaseAdapter", address, "earnedYield", ()) for address in adapters.values()])
        world.earned = dict(zip(adapters, earned, strict=True))

    def _requests(self, world: World) -> None:
        count = self._ask([self._at(MANAGER, "getRequestCount")])[0]
        ids = sorted(self._open_requests | set(range(self._requests_seen + 1, count + 1)))
        answers = self._ask([self._at(MANAGER, "getRedemptionRequest", each) for each in ids])
        for request_id, answer in zip(ids, answers, strict=True):
            if answer["status"] not in tuple(RequestStatus):
                continue
            world.requests[request_id] = Request(
                owner=self._name(answer["owner"]),
                receiver=self._name(answer["receiver"]),
                shares=answer["shares"],
                gross=answer["grossAmount"],
                channel=_CHANNELS[answer["channel"]],
                status=RequestStatus(answer["status"]),
                due_at=answer["settlementTime"],
                window_id=answer["windowId"],
            )
        self._open_requests, self._requests_seen, world.request_count = set(world.requests), count, count
        self._windows(world)

    def _windows(self, world: World) -> None:
        """When booked windows and the next ones settle now; a request keeps the date it was given at first."""
        ids = {each.window_id for each in world.requests.values() if each.window_id}
        ahead = world.now
        while ahead < world.now + _WINDOW_AHEAD_SECONDS:
            window_id, _ = world.window_after(ahead)
            ids.add(window_id)
            ahead = calendar_of(window_id) + 1
        times = self._ask([self._at("AssetScheduler", "getWindowSettlementTime", each) for each in sorted(ids)])
        settles_at = dict(zip(sorted(ids), times, strict=True))
        world.moved_windows = {each: at for each, at in settles_at.items() if at != calendar_of(each)}
        for request in world.requests.values():
            if request.window_id:
                request.due_at = settles_at[request.window_id]

    def _orders(self, world: World) -> None:
        count = self._ask([self._at("OTCManager", "orderCount")])[0]
        ids = sorted(self._open_orders | set(range(self._orders_seen + 1, count + 1)))
        symbols = {bytes.fromhex(token[2:]): symbol for symbol, token in self._venue.tokens.items()}
        for order_id, answer in zip(ids, self._ask([self._at("OTCManager", "getOrder", each) for each in ids]), strict=True):
            if answer["status"] in tuple(OrderStatus):
                world.orders[order_id] = Order(
                    symbols[answer["rwaToken"]],
                    answer["usdtAmount"],
                    answer["expectedTokens"],
                    OrderStatus(answer["status"]),
                    answer["expiresAt"],
                )
        self._open_orders, self._orders_seen, world.order_count = set(world.orders), count, count

    def _name(self, address: bytes) -> str:
        text = "0x" + address.hex()
        return self._names.get(text, text)

    def _at(self, contract: str, function: str, *args: Any) -> _Question:
        return contract, self._venue.contracts[contract], function, args

    def _token(self, symbol: str, function: str, *args: Any) -> _Question:
        return "TestToken", self._venue.tokens[symbol], function, args

    def _ask(self, questions: list[_Question]) -> list[Any]:
        abis = self._venue.abis
        answers = self._node.batch(
            ("eth_call", [{"to": address, "data": "0x" + abis[name].encode_call(function, *args).hex()}, "latest"])
            for name, address, function, args in questions
        )
        return [
            abis[name].decode_result(function, bytes.fromhex(answer[2:]))
            for (name, _, function, _), answer in zip(questions, answers, strict=True)
        ]
