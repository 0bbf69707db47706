"""Deploy two Safes 1.4.1 of the demo's people: the warm one needs two of three signatures, the cold one three of five.

They are created as anyone creates a Safe: a proxy by the official factory, with the usual handler. MultiSendCallOnly is put at
the address that it has on every public chain, since settings and policies name that one.
"""

import importlib.util
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress
from eth_utils.crypto import keccak
from web3 import Web3
from web3.types import TxReceipt

from paimon.domain.kernel.chain import ZERO_ADDRESS, checksum
from paimon.domain.transaction.safe_transaction import MULTI_SEND
from paimon_devkit.stack.chain_session import Artifact, ChainSession, TransactionFailed
from paimon_devkit.stack.errors import ServerUnavailable

WARM_THRESHOLD: Final = 2
COLD_THRESHOLD: Final = 3
_CREATED: Final = keccak(text="ProxyCreation(address,address)")
_ROLES: Final = {"warm": ("REBALANCER_ROLE",), "cold": ("REBALANCER_ROLE", "ADMIN_ROLE")}
"""What each Safe may do on the AssetController."""


@dataclass(frozen=True, slots=True)
class SafeOwners:
    """The owners of the two Safes."""

    warm: tuple[ChecksumAddress, ...]
    cold: tuple[ChecksumAddress, ...]


@dataclass(frozen=True, slots=True)
class SafeDeployment:
    """The addresses of the two Safes."""

    warm: ChecksumAddress
    cold: ChecksumAddress

    def to_json(self) -> str:
        """Encode the deployment as JSON."""
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Decode what `to_json` encoded."""
        return cls(**json.loads(text))


def deploy_safes(
    rpc_url: str, *, deployer: LocalAccount, owners: SafeOwners, asset_controller: ChecksumAddress, artifacts: Path
) -> SafeDeployment:
    """Deploy both Safes on a local chain and grant them their roles. `deployer` is the fund's admin.

    Raises:
        ServerUnavailable: the package with the contracts of Safe is not installed.
        TransactionFailed: a transaction reverted or was not mined.
    """
    with ChainSession(rpc_url, artifacts, contracts=_safe_contracts()) as chain:
        code = chain.artifacts["MultiSendCallOnly"].runtime_bytecode
        chain.request("anvil_setCode", [checksum(MULTI_SEND), "0x" + code.hex()])
        singleton, factory, handler = (
            chain.deploy(deployer, name) for name in ("Safe", "ProxyFactory", "CompatibilityFallbackHandler")
        )
        for salt, (members, threshold) in enumerate(((owners.warm, WARM_THRESHOLD), (owners.cold, COLD_THRESHOLD))):
            setup = _setup(chain, members, threshold, handler)
            chain.call(deployer, "ProxyFactory", factory, "createProxyWithNonce", singleton, setup, salt)
        safes = SafeDeployment(*(_created(receipt) for receipt in chain.confirm()[-2:]))
        for name, roles in _ROLES.items():
            for role in roles:
                arguments = (keccak(text=role), getattr(safes, name))
                chain.call(deployer, "AssetController", asset_controller, "grantRole", *arguments)
        chain.confirm()
        return safes


def _safe_contracts() -> dict[str, Artifact]:
    """Return Safe's own contracts by name, from the package that ships them. Nothing of it is imported: that takes seconds."""
    package = importlib.util.find_spec("safe_eth")
    if package is None or package.submodule_search_locations is None:
        raise ServerUnavailable("the package with the contracts of Safe is not installed: `pip install paimon[demo]`")
    folder = Path(package.submodule_search_locations[0]) / "eth" / "contracts" / "abis"
    names = ("Safe", "ProxyFactory", "CompatibilityFallbackHandler", "MultiSendCallOnly")
    return {name: Artifact.load(folder / f"{name}_V1_4_1.json") for name in names}


def _setup(chain: ChainSession, owners: Sequence[ChecksumAddress], threshold: int, handler: ChecksumAddress) -> bytes:
    zero = checksum(ZERO_ADDRESS)
    return chain.encode("Safe", "setup", list(owners), threshold, zero, b"", handler, zero, 0, zero)


def _created(receipt: TxReceipt) -> ChecksumAddress:
    topics: list[Any] = [log["topics"] for log in receipt["logs"] if bytes(log["topics"][0]) == _CREATED]
    if len(topics) != 1:
        raise TransactionFailed(f"the factory created {len(topics)} Safes in {receipt['transactionHash'].to_0x_hex()}")
    return Web3.to_checksum_address(bytes(topics[0][1])[-20:])
