"""Deploy the test fund: contracts, roles, eight assets over three tiers on target, and 24 million USDT of five investors.

For the demo and the tests. The transactions are sent in a few rounds and confirmed a round at a time, so that the deployment
takes seconds on a chain with one-second blocks.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Self

from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress
from eth_utils.crypto import keccak

from paimon_devkit.stack.chain_session import ChainSession, TransactionFailed

__all__ = ["ARTIFACTS", "CONTRACTS", "FundAccounts", "FundAsset", "FundDeployment", "TransactionFailed", "deploy_fund"]

CONTRACTS: Final = Path(__file__).parents[3] / "contracts"
ARTIFACTS: Final = CONTRACTS / "artifacts"
_LOCAL_CHAIN_ID: Final = 31337
_WAD: Final = 10**18
_GAS_BALANCE_LOCAL_WEI: Final = 1_000 * _WAD
_GAS_BALANCE_WEI: Final = _WAD // 20

_DEPOSITS_USDT: Final = (8_000_000, 6_000_000, 5_000_000, 3_000_000, 2_000_000)
_SPARE_BALANCE_USDT: Final = 2_000_000
"""What each investor keeps for later deposits."""

_OPERATOR_ROLE: Final = keccak(text="OPERATOR_ROLE")
_REBALANCER_ROLE: Final = keccak(text="REBALANCER_ROLE")
VIP_APPROVER_ROLE: Final = keccak(text="VIP_APPROVER_ROLE")
_OTC, _AUTO = 0, 2


@dataclass(frozen=True, slots=True)
class _AssetPlan:
    """An asset to add: its weight in the whole fund, which is also its target allocation, and how it is traded.

    With an issuer's adapter (`has_adapter`) it trades there at the oracle's price, else through the swap helper at
    `impact_bps` from it.
    """

    symbol: str
    name: str
    tier: int
    decimals: int
    price_raw: int
    weight_bps: int
    has_adapter: bool = False
    method: int = _AUTO
    impact_bps: int = 0
    minimum_usdt: int = 0


# L1 11 % (6 % of it cash), L2 31 %, L3 58 %. No asset above 20 %, no three above 50 %. Decimals differ on purpose.
_ASSETS: Final = (
    _AssetPlan("oTBILL", "Overnight Treasury Bills", 0, 6, _WAD, 300, has_adapter=True),
    _AssetPlan("sUSDY", "Instant Dollar Yield", 0, 18, 1_020_000_000_000_000_000, 200, has_adapter=True),
    _AssetPlan("MMFA", "Money Market Fund A", 1, 18, 1_050_000_000_000_000_000, 1_550, impact_bps=5, minimum_usdt=1_000),
    _AssetPlan("MMFB", "Money Market Fund B", 1, 6, 1_100_000_000_000_000_000, 1_550, impact_bps=8, minimum_usdt=1_000),
    _AssetPlan("RWAC", "Consumer Credit Pool", 2, 18, 1_250_000_000_000_000_000, 1_450, impact_bps=20, minimum_usdt=5_000),
    _AssetPlan("RWAR", "Real Estate Income", 2, 8, 100 * _WAD, 1_450, impact_bps=25, minimum_usdt=5_000),
    _AssetPlan("RWAT", "Trade Finance Notes", 2, 18, 10_500_000_000_000_000_000, 1_450, has_adapter=True, minimum_usdt=5_000),
    _AssetPlan("RWAP", "Private Credit", 2, 6, 1_000 * _WAD, 1_450, has_adapter=True, method=_OTC, minimum_usdt=25_000),
)


@dataclass(frozen=True, slots=True)
class FundAccounts:
    """Accounts that take part in the fund. The application's wallets are addresses only: their keys are in the signer.

    The deployer becomes the fund's admin. The approvers are the voters on chain; only the approver key sends.
    """

    deployer: LocalAccount
    approvers: tuple[LocalAccount, ...]
    investors: tuple[LocalAccount, ...]
    approver_key: ChecksumAddress
    keeper: ChecksumAddress
    hot: ChecksumAddress


@dataclass(frozen=True, slots=True)
class FundAsset:
    """One asset token; `adapter` is None where it trades through the swap helper."""

    symbol: str
    address: ChecksumAddress
    tier: int
    decimals: int
    adapter: ChecksumAddress | None


@dataclass(frozen=True, slots=True)
class FundDeployment:
    """Addresses of a deployed fund, and the first block with an event of it."""

    usdt: ChecksumAddress
    vault: ChecksumAddress
    redemption_manager: ChecksumAddress
    asset_controller: ChecksumAddress
    asset_scheduler: ChecksumAddress
    oracle_adapter: ChecksumAddress
    swap_helper: ChecksumAddress
    otc_manager: ChecksumAddress
    otc_counterparty: ChecksumAddress
    assets: tuple[FundAsset, ...]
    start_block: int

    def to_json(self) -> str:
        """Encode the deployment as JSON."""
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Decode what `to_json` encoded."""
        fields: dict[str, Any] = json.loads(text)
        return cls(**(fields | {"assets": tuple(FundAsset(**asset) for asset in fields["assets"])}))


def deploy_fund(rpc_url: str, *, accounts: FundAccounts, artifacts: Path, progress: Callable[[str], None]) -> FundDeployment:
    """Deploy, wire and fill a fund on the chain behind `rpc_url`. `artifacts` is the folder of compiled contracts.

    Raises:
        TransactionFailed: a transaction reverted (with the contract's reason) or was not mined.
        ValueError: fewer investors than the fund needs.
    """
    if len(accounts.investors) < len(_DEPOSITS_USDT):
        raise ValueError(f"the fund needs {len(_DEPOSITS_USDT)} investors, got {len(accounts.investors)}")
    with ChainSession(rpc_url, artifacts) as chain:
        _fund_gas(chain, accounts)
        progress("deploying contracts, wiring roles, adding assets")
        fund = _deploy(chain, accounts)
        progress("investors deposit")
        _deposit(chain, fund, accounts)
        progress("buying assets")
        _buy_assets(chain, fund, accounts.deployer)
        _set_final_terms(chain, fund, accounts.deployer)
        progress(f"the fund is deployed, from block {fund.start_block} on")
        return fund


def _fund_gas(chain: ChainSession, accounts: FundAccounts) -> None:
    """Give every account gas: on the local chain by setting its balance, elsewhere from the deployer's."""
    funded = [accounts.approver_key, accounts.keeper, accounts.hot]
    funded += [account.address for account in (*accounts.approvers, *accounts.investors)]
    if chain.id == _LOCAL_CHAIN_ID:
        for address in (accounts.deployer.address, *funded):
            chain.request("anvil_setBalance", [address, hex(_GAS_BALANCE_LOCAL_WEI)])
        return
    for address in funded:
        chain.pay(accounts.deployer, address, _GAS_BALANCE_WEI)
    chain.confirm()


def _deploy(chain: ChainSession, accounts: FundAccounts) -> FundDeployment:
    """Deploy everything in one round: addresses are known before anything is mined, and nonces keep the order."""
    admin, owner = accounts.deployer, accounts.deployer.address
    usdt = chain.deploy(admin, "TestToken", "Tether USD", "USDT", 18)
    vault = chain.deploy(admin, "Vault", usdt, owner)
    oracle = chain.deploy(admin, "OracleAdapter", owner)
    fund = FundDeployment(
        usdt=usdt,
        vault=vault,
        redemption_manager=chain.deploy(admin, "RedemptionManager", vault, owner),
        asset_controller=chain.deploy(admin, "AssetController", vault, owner),
        asset_scheduler=chain.deploy(admin, "AssetScheduler", owner),
        oracle_adapter=oracle,
        swap_helper=chain.deploy(admin, "SwapHelper", vault, usdt, oracle, owner),
        otc_manager=chain.deploy(admin, "OTCManager", vault, usdt, owner),
        otc_counterparty=chain.deploy(admin, "Counterparty"),
        assets=tuple(_deploy_asset(chain, admin, plan, vault=vault, usdt=usdt, oracle=oracle) for plan in _ASSETS),
        start_block=0,
    )
    _wire(chain, fund, accounts)
    _add_assets(chain, fund, admin)
    _mint_usdt(chain, fund, accounts)
    return replace(fund, start_block=chain.confirm()[0]["blockNumber"])


def _deploy_asset(
    chain: ChainSession,
    admin: LocalAccount,
    plan: _AssetPlan,
    *,
    vault: ChecksumAddress,
    usdt: ChecksumAddress,
    oracle: ChecksumAddress,
) -> FundAsset:
    token = chain.deploy(admin, "TestToken", plan.name, plan.symbol, plan.decimals)
    adapter = chain.deploy(admin, "PurchaseAdapter", vault, usdt, token, oracle) if plan.has_adapter else None
    return FundAsset(plan.symbol, token, plan.tier, plan.decimals, adapter)


def _wire(chain: ChainSession, fund: FundDeployment, accounts: FundAccounts) -> None:
    """Connect the contracts and grant the roles."""
    admin = accounts.deployer

    def vault(function: str, *args: Any) -> None:
        chain.call(admin, "Vault", fund.vault, function, *args)

    def manager(function: str, *args: Any) -> None:
        chain.call(admin, "RedemptionManager", fund.redemption_manager, function, *args)

    def controller(function: str, *args: Any) -> None:
        chain.call(admin, "AssetController", fund.asset_controller, function, *args)

    vault("setAssetController", fund.asset_controller)
    vault("grantOperator", fund.asset_controller)
    vault("grantOperator", fund.redemption_manager)

    manager("setAssetController", fund.asset_controller)
    manager("setAssetScheduler", fund.asset_scheduler)
    for approver in (*(account.address for account in accounts.approvers), accounts.approver_key):
        manager("grantRole", VIP_APPROVER_ROLE, approver)

    controller("setOracleAdapter", fund.oracle_adapter)
    controller("setSwapHelper", fund.swap_helper)
    controller("setOTCManager", fund.otc_manager)
    controller("setAssetScheduler", fund.asset_scheduler)
    controller("setFeeRecipient", admin.address)
    controller("grantRole", _REBALANCER_ROLE, fund.redemption_manager)
    controller("grantRole", _REBALANCER_ROLE, accounts.hot)
    # For the first purchases only; `_set_final_terms` revokes it.
    controller("grantRole", _REBALANCER_ROLE, admin.address)

    chain.call(admin, "AssetScheduler", fund.asset_scheduler, "grantRole", _OPERATOR_ROLE, fund.redemption_manager)
    chain.call(admin, "OTCManager", fund.otc_manager, "grantRole", _OPERATOR_ROLE, fund.asset_controller)
    chain.call(admin, "OTCManager", fund.otc_manager, "setCounterpartyWhitelist", fund.otc_counterparty, True)


def _add_assets(chain: ChainSession, fund: FundDeployment, admin: LocalAccount) -> None:
    for plan, asset in zip(_ASSETS, fund.assets, strict=True):
        chain.call(admin, "OracleAdapter", fund.oracle_adapter, "setPrice", asset.address, plan.price_raw)
        place = (asset.address, plan.tier, plan.weight_bps)
        if asset.adapter is None:
            chain.call(admin, "AssetController", fund.asset_controller, "addAssetSimple", *place)
        else:
            chain.call(admin, "AssetController", fund.asset_controller, "addAsset", *place, asset.adapter)
        if plan.minimum_usdt:
            terms = (plan.method, 0, plan.minimum_usdt * _WAD, 0, 0)
            chain.call(admin, "AssetController", fund.asset_controller, "setAssetPurchaseConfig", asset.address, *terms)


def _mint_usdt(chain: ChainSession, fund: FundDeployment, accounts: FundAccounts) -> None:
    deposits = _DEPOSITS_USDT + (0,) * (len(accounts.investors) - len(_DEPOSITS_USDT))
    for investor, deposit in zip(accounts.investors, deposits, strict=True):
        amount = (deposit + _SPARE_BALANCE_USDT) * _WAD
        chain.call(accounts.deployer, "TestToken", fund.usdt, "mint", investor.address, amount)


def _deposit(chain: ChainSession, fund: FundDeployment, accounts: FundAccounts) -> None:
    for investor, amount in zip(accounts.investors, _DEPOSITS_USDT, strict=False):
        chain.call(investor, "TestToken", fund.usdt, "approve", fund.vault, amount * _WAD)
        chain.call(investor, "Vault", fund.vault, "deposit", amount * _WAD, investor.address)
    chain.confirm()


def _buy_assets(chain: ChainSession, fund: FundDeployment, admin: LocalAccount) -> None:
    total = sum(_DEPOSITS_USDT) * _WAD
    for plan, asset in zip(_ASSETS, fund.assets, strict=True):
        amount = total * plan.weight_bps // 10_000
        chain.call(admin, "AssetController", fund.asset_controller, "purchaseAsset", asset.address, amount)
    chain.confirm()


def _set_final_terms(chain: ChainSession, fund: FundDeployment, admin: LocalAccount) -> None:
    """Set the high-water mark and the trading costs. Without the mark the purchases would count as performance."""
    layer3_value = chain.read("Vault", fund.vault, "getLayer3Value")
    controller = fund.asset_controller
    chain.call(admin, "AssetController", controller, "setLayer3HighWaterMark", layer3_value)
    chain.call(admin, "AssetController", controller, "revokeRole", _REBALANCER_ROLE, admin.address)
    for plan, asset in zip(_ASSETS, fund.assets, strict=True):
        if plan.impact_bps:
            chain.call(admin, "SwapHelper", fund.swap_helper, "setPriceImpactBps", asset.address, plan.impact_bps)
    chain.confirm()
