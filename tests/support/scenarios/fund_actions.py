"""Random actions of accounts on the fund of a `DeepChain`: each is one or more transactions for one block.

Together they emit every kind of event that a listener treats differently: shares and their locks, requests and their ends,
trades, orders, roles, flags, and the two events that make it track a new contract.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from tests.support.chain.deep_chain import DeepChain, RpcTransaction
from tests.support.chain.fund import ARTIFACTS, WAD

from paimon.domain.kernel.chain import OnChainRole, hex0x
from paimon_devkit.stack.accounts import ADMIN, APPROVERS, INVESTORS
from paimon_devkit.stack.chain_session import Artifact

_GAS: Final = hex(2_500_000)
_REQUESTS_MAX: Final = 5
"""Highest request id that actions name. Ids are drawn blindly, so most actions find a request."""


@dataclass
class FundActions:
    """Draw actions on `chain`. The contracts reject an action that is not possible (any more)."""

    chain: DeepChain

    def draw(self, rng: random.Random) -> tuple[str, list[RpcTransaction]]:
        """Draw an action. Return its name and its transactions."""
        name = rng.choices(list(_ACTIONS), [weight for weight, _ in _ACTIONS.values()])[0]
        return name, _ACTIONS[name][1](self, rng)

    def _transaction(self, name: str, contract: str, address: str, function: str, *args: Any) -> RpcTransaction:
        data = hex0x(Artifact.load(ARTIFACTS / f"{contract}.json").abi.encode_call(function, *args))
        return {"from": self.chain.fund.accounts.address(name), "to": address, "data": data, "gas": _GAS}

    @cached_property
    def _addresses(self) -> dict[str, str]:
        deployment = self.chain.fund.deployment
        return {
            "Vault": deployment.vault,
            "RedemptionManager": deployment.redemption_manager,
            "AssetController": deployment.asset_controller,
        }

    def _fund(self, name: str, contract: str, function: str, *args: Any) -> RpcTransaction:
        return self._transaction(name, contract, self._addresses[contract], function, *args)

    def share_transfer(self, sender: str, receiver: str, shares: int) -> RpcTransaction:
        return self._fund(sender, "Vault", "transfer", self._address(receiver), shares * WAD)

    # ----------------------------------------------------------------------------------------------------- the actions

    def deposit(self, rng: random.Random) -> list[RpcTransaction]:
        name = rng.choice(INVESTORS)
        return [self._fund(name, "Vault", "deposit", rng.randint(1, 5_000) * WAD, self._address(rng.choice(INVESTORS)))]

    def transfer(self, rng: random.Random) -> list[RpcTransaction]:
        sender, receiver = rng.choice(INVESTORS), rng.choice((*INVESTORS, "otto", "willa"))
        return [self.share_transfer(sender, receiver, rng.randint(0, 1_000))]

    def request(self, rng: random.Random) -> list[RpcTransaction]:
        name, shares = rng.choice(INVESTORS), rng.choice((1_000, 10_000, 120_000))
        function = rng.choice(("requestRedemption", "requestRedemption", "requestEmergencyRedemption"))
        return [self._fund(name, "RedemptionManager", function, shares * WAD, self._address(name))]

    def decide(self, rng: random.Random) -> list[RpcTransaction]:
        name, number = rng.choice(APPROVERS), rng.randint(1, _REQUESTS_MAX)
        if rng.random() < 0.5:
            return [self._fund(name, "RedemptionManager", "approveRedemption", number)]
        return [self._fund(name, "RedemptionManager", "rejectRedemption", number, "drawn")]

    def cancel(self, rng: random.Random) -> list[RpcTransaction]:
        number = rng.randint(1, _REQUESTS_MAX)
        return [self._fund(name, "RedemptionManager", "cancelRedemption", number) for name in rng.sample(INVESTORS, 3)]

    def settle(self, rng: random.Random) -> list[RpcTransaction]:
        return [self._fund("keeper", "RedemptionManager", "settleRedemption", rng.randint(1, _REQUESTS_MAX))]

    def switch_emergency_mode(self, rng: random.Random) -> list[RpcTransaction]:
        return [self._fund(ADMIN, "Vault", "setEmergencyMode", rng.random() < 0.7)]

    def pause_and_unpause(self, rng: random.Random) -> list[RpcTransaction]:
        contract = rng.choice(list(self._addresses))
        return [self._fund(ADMIN, contract, function) for function in ("pause", "unpause")]

    def change_roles(self, rng: random.Random) -> list[RpcTransaction]:
        role, account = rng.choice((OnChainRole.OPERATOR_ROLE, OnChainRole.REBALANCER_ROLE)), rng.choice(("otto", "willa"))
        function = rng.choice(("grantRole", "revokeRole"))
        return [self._fund(ADMIN, "AssetController", function, role.id, self._address(account))]

    def buy(self, rng: random.Random) -> list[RpcTransaction]:
        assets = (asset.address for asset in self.chain.fund.deployment.assets)
        token = rng.choice((*assets, *self.chain.spare_contracts.tokens))
        return [self._fund("hot", "AssetController", "purchaseAsset", token, rng.randint(1, 9_000) * WAD)]

    def sell(self, rng: random.Random) -> list[RpcTransaction]:
        asset = rng.choice(self.chain.fund.deployment.assets)
        return [self._fund("hot", "AssetController", "redeemAsset", asset.address, rng.randint(1, 100) * 10**asset.decimals)]

    def order(self, rng: random.Random) -> list[RpcTransaction]:
        """Create an OTC order and perhaps pay one, at the controller's present OTC manager."""
        deployment, number = self.chain.fund.deployment, rng.randint(1, 3)
        token = next(asset for asset in deployment.assets if asset.symbol == "RWAP").address
        terms = (token, 30_000 * WAD, 30 * 10**6, deployment.otc_counterparty, 30 * 86_400)
        creation = self._fund("hot", "AssetController", "createOTCOrder", *terms)
        return [creation, self._fund("hot", "AssetController", "executeOTCPayment", number)]

    def replace_otc_manager(self, rng: random.Random) -> list[RpcTransaction]:
        """Appoint an OTC manager that is not tracked yet. It gets its first order in the same block."""
        return [self._fund(ADMIN, "AssetController", "setOTCManager", self.chain.spare_contracts.otc_manager), *self.order(rng)]

    def add_asset(self, rng: random.Random) -> list[RpcTransaction]:
        """Add a token that is not tracked yet, with donations right before and right after in the same block."""
        token = rng.choice(self.chain.spare_contracts.tokens)
        added = self._fund(ADMIN, "AssetController", "addAssetSimple", token, rng.randrange(3), 0)
        before, after = ([self._donation(ADMIN, token, rng)] * rng.randrange(2) for _ in range(2))
        return [*before, added, *after]

    def donate(self, rng: random.Random) -> list[RpcTransaction]:
        """Mint a token to the vault, one that is tracked or one that is not tracked yet."""
        token = rng.choice((self.chain.fund.deployment.usdt, *self.chain.spare_contracts.tokens))
        return [self._donation(rng.choice(INVESTORS), token, rng)]

    def _donation(self, name: str, token: str, rng: random.Random) -> RpcTransaction:
        return self._transaction(name, "TestToken", token, "mint", self.chain.fund.deployment.vault, rng.randint(1, 50) * WAD)

    def _address(self, name: str) -> str:
        return self.chain.fund.accounts.address(name)


_ACTIONS: Final[dict[str, tuple[int, Callable[[FundActions, random.Random], list[RpcTransaction]]]]] = {
    "deposit": (4, FundActions.deposit),
    "transfer": (4, FundActions.transfer),
    "request": (6, FundActions.request),
    "decide": (3, FundActions.decide),
    "cancel": (2, FundActions.cancel),
    "settle": (3, FundActions.settle),
    "switch_emergency_mode": (1, FundActions.switch_emergency_mode),
    "pause": (1, FundActions.pause_and_unpause),
    "roles": (1, FundActions.change_roles),
    "buy": (2, FundActions.buy),
    "sell": (1, FundActions.sell),
    "order": (1, FundActions.order),
    "replace_otc_manager": (1, FundActions.replace_otc_manager),
    "add_asset": (3, FundActions.add_asset),
    "donate": (3, FundActions.donate),
}
"""Actions by name, with their weights."""
