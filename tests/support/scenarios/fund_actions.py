"""What people do on the fund of a `DeepChain`, drawn by a seed: each deed is one or more transactions for one block.

Between them they make every kind of event that a listener treats in a way of its own: shares and their locks, requests and
their ends, trades, orders, roles, flags, and the two that make it follow a contract it did not know.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from tests.support.chain.deep_chain import DeepChain, RpcTransaction
from tests.support.chain.fund import ARTIFACTS, WAD

from paimon.domain.kernel.chain import OnChainRole, hex0x
from paimon.infrastructure.blockchain.abi.contract_abi import ContractAbi
from paimon_devkit.stack.accounts import ADMIN, APPROVERS, INVESTORS
from paimon_devkit.stack.chain_session import Artifact

_GAS: Final = hex(2_500_000)
_REQUESTS_MAX: Final = 5
"""Requests that deeds are about: numbers drawn blindly, so most deeds about them find one."""


@dataclass
class FundActions:
    """`chain` says where everything is; which of the spares are used up is the contracts' business."""

    chain: DeepChain
    _abis: dict[str, ContractAbi] = field(default_factory=dict)

    def drawn(self, rng: random.Random) -> tuple[str, list[RpcTransaction]]:
        """A deed and its transactions."""
        name = rng.choices(list(_ACTIONS), [weight for weight, _ in _ACTIONS.values()])[0]
        return name, _ACTIONS[name][1](self, rng)

    def _transaction(self, name: str, contract: str, address: str, function: str, *args: Any) -> RpcTransaction:
        if contract not in self._abis:
            self._abis[contract] = ContractAbi(Artifact.load(ARTIFACTS / f"{contract}.json").items)
        data = hex0x(self._abis[contract].encode_call(function, *args))
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

    # ------------------------------------------------------------------------------------------------------- the deeds

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
        return [self._fund(ADMIN, contract, each) for each in ("pause", "unpause")]

    def change_roles(self, rng: random.Random) -> list[RpcTransaction]:
        role, someone = rng.choice((OnChainRole.OPERATOR_ROLE, OnChainRole.REBALANCER_ROLE)), rng.choice(("otto", "willa"))
        function = rng.choice(("grantRole", "revokeRole"))
        return [self._fund(ADMIN, "AssetController", function, role.id, self._address(someone))]

    def buy(self, rng: random.Random) -> list[RpcTransaction]:
        token = rng.choice((*(each.address for each in self.chain.fund.deployment.assets), *self.chain.spare_contracts.tokens))
        return [self._fund("hot", "AssetController", "purchaseAsset", token, rng.randint(1, 9_000) * WAD)]

    def sell(self, rng: random.Random) -> list[RpcTransaction]:
        asset = rng.choice(self.chain.fund.deployment.assets)
        return [self._fund("hot", "AssetController", "redeemAsset", asset.address, rng.randint(1, 100) * 10**asset.decimals)]

    def order(self, rng: random.Random) -> list[RpcTransaction]:
        """An order is made and, maybe, paid; by which of the managers is what the controller was told last."""
        deployment, number = self.chain.fund.deployment, rng.randint(1, 3)
        token = next(each for each in deployment.assets if each.symbol == "RWAP").address
        terms = (token, 30_000 * WAD, 30 * 10**6, deployment.otc_counterparty, 30 * 86_400)
        made = self._fund("hot", "AssetController", "createOTCOrder", *terms)
        return [made, self._fund("hot", "AssetController", "executeOTCPayment", number)]

    def replace_otc_manager(self, rng: random.Random) -> list[RpcTransaction]:
        """An OTC manager that nobody followed yet; in the same block it has its first order."""
        return [self._fund(ADMIN, "AssetController", "setOTCManager", self.chain.spare_contracts.otc_manager), *self.order(rng)]

    def add_asset(self, rng: random.Random) -> list[RpcTransaction]:
        """A token that nobody followed yet, with money that comes just before it is added and just after."""
        token = rng.choice(self.chain.spare_contracts.tokens)
        added = self._fund(ADMIN, "AssetController", "addAssetSimple", token, rng.randrange(3), 0)
        before, after = ([self._donation(ADMIN, token, rng)] * rng.randrange(2) for _ in range(2))
        return [*before, added, *after]

    def donate(self, rng: random.Random) -> list[RpcTransaction]:
        """Money that comes into the vault by nobody's plan, of a token that is followed or is not yet."""
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
    "add asset": (3, FundActions.add_asset),
    "donate": (3, FundActions.donate),
}
"""By name, with how often each comes beside the others."""
