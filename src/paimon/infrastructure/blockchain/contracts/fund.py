"""The fund's contracts at their configured addresses, and the contracts that these name."""

from dataclasses import dataclass

from paimon.domain.kernel.chain import ZERO_ADDRESS, Address, BlockStamp, ContractName, checksum
from paimon.errors import StartupError
from paimon.infrastructure.blockchain.abi.contract_abi import ContractAbi, load_abi
from paimon.infrastructure.blockchain.contracts.asset_controller import AssetController
from paimon.infrastructure.blockchain.contracts.asset_scheduler import AssetScheduler
from paimon.infrastructure.blockchain.contracts.contract import ManagedContract
from paimon.infrastructure.blockchain.contracts.erc20 import Erc20
from paimon.infrastructure.blockchain.contracts.otc_manager import OtcManager
from paimon.infrastructure.blockchain.contracts.reads import CallReverted, ContractReader
from paimon.infrastructure.blockchain.contracts.redemption_manager import RedemptionManager
from paimon.infrastructure.blockchain.contracts.vault import Vault
from paimon.infrastructure.blockchain.rpc.errors import RpcError
from paimon.infrastructure.blockchain.rpc.pool import Rpc


class ContractsMissing(StartupError):
    """The configured addresses do not hold the fund's contracts."""


@dataclass(frozen=True, slots=True)
class FundAddresses:
    """The configured addresses of the fund's three contracts."""

    vault: Address
    redemption_manager: Address
    asset_controller: Address

    def names(self) -> dict[Address, ContractName]:
        return {
            self.vault: ContractName.VAULT,
            self.redemption_manager: ContractName.REDEMPTION_MANAGER,
            self.asset_controller: ContractName.ASSET_CONTROLLER,
        }


class FundContracts(ContractReader):
    """Reads of the fund: its three contracts as typed classes, and one reader for all of them."""

    def __init__(self, rpc: Rpc, addresses: FundAddresses, *, otc_abi: ContractAbi | None = None) -> None:
        """Bind the contracts to one RPC pool. `otc_abi` replaces the shipped ABI of the OTC manager."""
        super().__init__(rpc)
        self.addresses = addresses
        self.abis: dict[ContractName, ContractAbi] = {name: load_abi(name.value) for name in ContractName}
        if otc_abi is not None:
            self.abis[ContractName.OTC_MANAGER] = otc_abi
        self.vault = Vault(addresses.vault, self.abis[ContractName.VAULT])
        self.redemption_manager = RedemptionManager(addresses.redemption_manager, self.abis[ContractName.REDEMPTION_MANAGER])
        self.asset_controller = AssetController(addresses.asset_controller, self.abis[ContractName.ASSET_CONTROLLER])
        self._managed: dict[ContractName, ManagedContract] = {
            ContractName.VAULT: self.vault,
            ContractName.REDEMPTION_MANAGER: self.redemption_manager,
            ContractName.ASSET_CONTROLLER: self.asset_controller,
        }
        self._asset_decimals: int | None = None

    def managed(self, contract: ContractName) -> ManagedContract:
        """Return one of the three contracts at configured addresses. Raises KeyError for any other name."""
        return self._managed[contract]

    def address(self, contract: ContractName) -> Address:
        return self._managed[contract].address

    def otc_manager(self, address: Address) -> OtcManager:
        return OtcManager(address, self.abis[ContractName.OTC_MANAGER])

    async def window_settlement_time(self, window_id: int, *, at: BlockStamp) -> int:
        """Read when a scheduled window settles, in chain seconds; 0 where the manager has no scheduler.

        Raises:
            CallReverted: the scheduler does not know the window.
        """
        scheduler = await self.read_one(self.redemption_manager.asset_scheduler(), at=at)
        if scheduler == ZERO_ADDRESS:
            return 0
        return await self.read_one(AssetScheduler(scheduler).window_settlement_time(window_id), at=at)

    async def asset_decimals(self, *, at: BlockStamp) -> int:
        """Read the decimals of the vault's asset from the token itself, once: they never change."""
        if self._asset_decimals is None:
            asset = await self.read_one(self.vault.asset(), at=at)
            self._asset_decimals = await self.read_one(Erc20(asset).decimals(), at=at)
        return self._asset_decimals

    async def require_deployed(self, *, at: BlockStamp) -> None:
        """Check that the three addresses hold contracts that name each other. Raises ContractsMissing."""
        empty = [
            f"{name} {checksum(contract.address)}"
            for name, contract in self._managed.items()
            if await self.rpc.state_at(at.number).call("eth_getCode", [checksum(contract.address), hex(at.number)])
            in ("0x", None)
        ]
        if empty:
            raise ContractsMissing(
                f"no contract at block {at} at: {', '.join(empty)}; check PAIMON_FUND__… and the chain they were deployed on"
            )
        try:
            named = await self.read(
                [self.redemption_manager.vault(), self.asset_controller.vault(), self.vault.asset_controller()], at=at
            )
        except (CallReverted, RpcError, ValueError) as error:
            raise ContractsMissing(f"the contracts at the PAIMON_FUND__… addresses are not this fund's: {error}") from error
        questions = ("RedemptionManager.vault()", "AssetController.vault()", "Vault.assetController()")
        expected_addresses = (self.addresses.vault, self.addresses.vault, self.addresses.asset_controller)
        for question, answer, expected in zip(questions, named, expected_addresses, strict=True):
            if answer != expected:
                raise ContractsMissing(
                    f"{question} is {checksum(answer)}, the settings say {checksum(expected)}: PAIMON_FUND__… mixes two funds"
                )
