"""One typed reader of the fund's contracts. Every read names the block it is made at."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from eth_abi.exceptions import DecodingError

from paimon.domain.kernel.chain import ZERO_ADDRESS, Address, BlockStamp, ContractName, Hash32, checksum, hex0x
from paimon.errors import StartupError
from paimon.infrastructure.blockchain.abi.contract_abi import ContractAbi, load_abi
from paimon.infrastructure.blockchain.rpc.endpoint import Request
from paimon.infrastructure.blockchain.rpc.errors import RpcError
from paimon.infrastructure.blockchain.rpc.pool import Rpc

BATCH_MAX: Final = 100
"""Calls in one HTTP request; providers refuse far larger batches."""


class ContractsMissing(StartupError):
    """The configured addresses do not hold the fund's contracts."""


class CallReverted(Exception):
    """A read or a simulation reverted; the message is the contract's own error in words."""

    def __init__(self, message: str, error_name: str | None) -> None:
        super().__init__(message)
        self.error_name = error_name


@dataclass(frozen=True, slots=True)
class FundAddresses:
    """Where the three contracts are."""

    vault: Address
    redemption_manager: Address
    asset_controller: Address

    def names(self) -> dict[Address, ContractName]:
        return {
            self.vault: ContractName.VAULT,
            self.redemption_manager: ContractName.REDEMPTION_MANAGER,
            self.asset_controller: ContractName.ASSET_CONTROLLER,
        }


@dataclass(frozen=True, slots=True)
class ContractRead:
    """One function of one contract with its arguments. An OTC manager or a token is named by its address too."""

    contract: ContractName
    function: str
    args: tuple[Any, ...] = ()
    address: Address | None = None


@dataclass(frozen=True, slots=True)
class FailedRead:
    """What stands for a read that reverted, or was answered by something that is not this contract."""

    reason: str

    def __str__(self) -> str:
        return f"(no answer: {self.reason})"


class FundContracts:
    """Reads of the fund."""

    def __init__(self, rpc: Rpc, addresses: FundAddresses, *, otc_abi: ContractAbi | None = None) -> None:
        """`otc_abi` is the OTC manager's where it is not the one shipped: its indexing varies between deployments."""
        self.rpc = rpc
        self.addresses = addresses
        self.abis: dict[ContractName, ContractAbi] = {name: load_abi(name.value) for name in ContractName}
        if otc_abi is not None:
            self.abis[ContractName.OTC_MANAGER] = otc_abi
        self._addresses = {name: address for address, name in addresses.names().items()}
        self._asset_decimals: int | None = None

    def address(self, contract: ContractName) -> Address:
        return self._addresses[contract]

    async def read(self, reads: Sequence[ContractRead], *, at: BlockStamp) -> list[Any]:
        """Results in order, all at one block, addressed by its hash so that a reorganisation cannot mix two chains.

        Raises:
            CallReverted, RpcUnavailable, RpcError.
        """
        results: list[Any] = []
        for start in range(0, len(reads), BATCH_MAX):
            chunk = reads[start : start + BATCH_MAX]
            requests = [self.build_request(each, at) for each in chunk]
            try:
                answers = await self.rpc.state_at(at.number).batch(requests)
            except RpcError as error:
                raise _reverted(self.abis[chunk[0].contract], error) from error
            for read, answer in zip(chunk, answers, strict=True):
                results.append(self.abis[read.contract].decode_result(read.function, bytes.fromhex(answer[2:])))
        return results

    async def try_read(self, reads: Sequence[ContractRead], *, at: BlockStamp) -> list[Any]:
        """As `read`, but what has no answer is a `FailedRead` in its place: for addresses that only the books name.

        Raises:
            RpcUnavailable, RpcError: the node's failures, which say nothing of the contracts.
        """
        results: list[Any] = []
        for start in range(0, len(reads), BATCH_MAX):
            chunk = reads[start : start + BATCH_MAX]
            answers = await self.rpc.state_at(at.number).try_batch([self.build_request(each, at) for each in chunk])
            results += [self.decode_answer(read, answer) for read, answer in zip(chunk, answers, strict=True)]
        return results

    def decode_answer(self, read: ContractRead, answer: Any) -> Any:
        """What `try_batch` answered to `build_request` this read: its result, or a `FailedRead`. Raises RpcError as `try_read`."""
        abi = self.abis[read.contract]
        if isinstance(answer, RpcError):
            if not answer.is_revert:
                raise answer
            return FailedRead(f"{read.function} reverted: {abi.explain_revert(answer.revert_data)}")
        try:
            return abi.decode_result(read.function, bytes.fromhex(answer[2:]))
        except (DecodingError, OverflowError, UnicodeDecodeError):
            return FailedRead(
                f"{read.function} of no such contract" if answer == "0x" else f"{read.function} answered {answer[:66]}"
            )

    def build_request(self, read: ContractRead, at: BlockStamp) -> Request:
        """The read as one request, to be asked together with others."""
        data = self.abis[read.contract].encode_call(read.function, *read.args)
        address = self._addresses[read.contract] if read.address is None else read.address
        call = {"to": checksum(address), "data": hex0x(data)}
        return ("eth_call", [call, {"blockHash": hex0x(at.hash)}])

    async def redemption_request(self, request_id: int, *, at: BlockStamp) -> dict[str, Any]:
        """The `getRedemptionRequest` tuple by field name. Raises CallReverted for an id that does not exist."""
        (found,) = await self.read(
            [ContractRead(ContractName.REDEMPTION_MANAGER, "getRedemptionRequest", (request_id,))], at=at
        )
        return dict(found)

    async def has_role(self, contract: ContractName, role: Hash32, account: Address, *, at: BlockStamp) -> bool:
        (held,) = await self.read([ContractRead(contract, "hasRole", (role, account))], at=at)
        return bool(held)

    async def window_settlement_time(self, window_id: int, *, at: BlockStamp) -> int:
        """Chain seconds at which a scheduled window settles, as the manager's scheduler gives it now; 0 if unset.

        Raises:
            CallReverted: the scheduler does not know the window.
        """
        (scheduler,) = await self.read([ContractRead(ContractName.REDEMPTION_MANAGER, "assetScheduler")], at=at)
        if scheduler == ZERO_ADDRESS:
            return 0
        return int(await self._read_external("AssetScheduler", scheduler, "getWindowSettlementTime", window_id, at=at))

    async def price(self, oracle: Address, token: Address, *, at: BlockStamp) -> int:
        """What the oracle adapter says a whole token is worth, scaled by 1e18. Raises CallReverted for one it does not know."""
        return int(await self._read_external("OracleAdapter", oracle, "getPrice", token, at=at))

    async def asset_decimals(self, *, at: BlockStamp) -> int:
        """Decimals of the vault's asset, from the token itself."""
        if self._asset_decimals is None:
            (asset,) = await self.read([ContractRead(ContractName.VAULT, "asset")], at=at)
            self._asset_decimals = int(await self._read_external("ERC20", asset, "decimals", at=at))
        return self._asset_decimals

    async def _read_external(self, kind: str, address: Address, function: str, *args: Any, at: BlockStamp) -> Any:
        """A read of a contract that is not one of the fund's three."""
        abi = load_abi(kind)
        call = {"to": checksum(address), "data": hex0x(abi.encode_call(function, *args))}
        try:
            answer = await self.rpc.state_at(at.number).call("eth_call", [call, {"blockHash": hex0x(at.hash)}])
        except RpcError as error:
            raise _reverted(abi, error) from error
        return abi.decode_result(function, bytes.fromhex(answer[2:]))

    async def require_deployed(self, *, at: BlockStamp) -> None:
        """Raises ContractsMissing unless the three addresses hold contracts that name each other."""
        empty = [
            f"{name} {checksum(address)}"
            for name, address in self._addresses.items()
            if await self.rpc.state_at(at.number).call("eth_getCode", [checksum(address), hex(at.number)]) in ("0x", None)
        ]
        if empty:
            raise ContractsMissing(
                f"no contract at block {at} at: {', '.join(empty)}; check PAIMON_FUND__… and the chain they were deployed on"
            )
        manager, controller = ContractName.REDEMPTION_MANAGER, ContractName.ASSET_CONTROLLER
        try:
            found = await self.read(
                [
                    ContractRead(manager, "vault"),
                    ContractRead(controller, "vault"),
                    ContractRead(ContractName.VAULT, "assetController"),
                ],
                at=at,
            )
        except (CallReverted, RpcError, ValueError) as error:
            raise ContractsMissing(f"the contracts at the PAIMON_FUND__… addresses are not this fund's: {error}") from error
        wired = {
            "RedemptionManager.vault()": (found[0], self.addresses.vault),
            "AssetController.vault()": (found[1], self.addresses.vault),
            "Vault.assetController()": (found[2], self.addresses.asset_controller),
        }
        for question, (answer, expected) in wired.items():
            if answer != expected:
                raise ContractsMissing(
                    f"{question} is {checksum(answer)}, the settings say {checksum(expected)}: PAIMON_FUND__… mixes two funds"
                )


def _reverted(abi: ContractAbi, error: RpcError) -> Exception:
    """A revert in the contract's own words; any other error as it is."""
    if not error.is_revert:
        return error
    return CallReverted(abi.explain_revert(error.revert_data), abi.error_name(error.revert_data))
