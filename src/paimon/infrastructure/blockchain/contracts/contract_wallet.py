"""Contract wallets: a contract at a person's address decides which signatures are the person's. Source: EIP-1271."""

from typing import Final

from paimon.domain.kernel.chain import Address, Hash32, checksum
from paimon.infrastructure.blockchain.abi.contract_abi import ContractAbi
from paimon.infrastructure.blockchain.contracts.contract import Contract
from paimon.infrastructure.blockchain.contracts.reads import ContractRead
from paimon.infrastructure.blockchain.rpc.pool import Rpc

ACCEPTED: Final = bytes.fromhex("1626ba7e")
"""What `isValidSignature(bytes32,bytes)` returns for a signature that counts."""

_DELEGATED: Final = "0xef0100"
"""The code of a key's account that borrows a contract's code (EIP-7702). Its key still signs."""

_ABI: Final = ContractAbi(
    [
        {
            "type": "function",
            "name": "isValidSignature",
            "stateMutability": "view",
            "inputs": [{"name": "hash", "type": "bytes32"}, {"name": "signature", "type": "bytes"}],
            "outputs": [{"name": "magicValue", "type": "bytes4"}],
        }
    ]
)


class ContractWallet(Contract):
    """A contract at a person's address."""

    def __init__(self, address: Address) -> None:
        super().__init__(address, _ABI)

    def accepts(self, digest: Hash32, signature: bytes) -> ContractRead[bool]:
        """Whether the contract takes this signature over the digest for its own. Many contracts revert where they do not."""
        return self._read("isValidSignature", digest, signature, convert=lambda result: bytes(result) == ACCEPTED)


async def is_contract_wallet(wallet: Address, rpc: Rpc) -> bool:
    """Report whether a contract is at this address, so that no key signs as it.

    Raises:
        RpcUnavailable, RpcError.
    """
    code = str(await rpc.call("eth_getCode", [checksum(wallet), "latest"]))
    return code != "0x" and not code.startswith(_DELEGATED)
