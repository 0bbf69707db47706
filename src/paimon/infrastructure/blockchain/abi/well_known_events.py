"""Events that many contracts log, beside those of the fund: by these a log that no ABI of ours explains gets a name."""

from functools import cache
from typing import Final

from eth_utils.crypto import keccak

_SIGNATURES: Final = (
    # proxies, ownership, roles, signatures (OpenZeppelin)
    "Upgraded(address)",
    "AdminChanged(address,address)",
    "BeaconUpgraded(address)",
    "Initialized(uint8)",
    "Initialized(uint64)",
    "OwnershipTransferred(address,address)",
    "OwnershipTransferStarted(address,address)",
    "RoleAdminChanged(bytes32,bytes32,bytes32)",
    "RoleGranted(bytes32,address,address)",
    "RoleRevoked(bytes32,address,address)",
    "DefaultAdminTransferScheduled(address,uint48)",
    "DefaultAdminTransferCanceled()",
    "DefaultAdminDelayChangeScheduled(uint48,uint48)",
    "DefaultAdminDelayChangeCanceled()",
    "EIP712DomainChanged()",
    "Paused(address)",
    "Unpaused(address)",
    # tokens (ERC-20, ERC-721, ERC-1155, ERC-4626) and votes
    "Transfer(address,address,uint256)",
    "Approval(address,address,uint256)",
    "ApprovalForAll(address,address,bool)",
    "TransferSingle(address,address,address,uint256,uint256)",
    "TransferBatch(address,address,address,uint256[],uint256[])",
    "URI(string,uint256)",
    "MetadataUpdate(uint256)",
    "BatchMetadataUpdate(uint256,uint256)",
    "Deposit(address,address,uint256,uint256)",
    "Withdraw(address,address,address,uint256,uint256)",
    "DelegateChanged(address,address,address)",
    "DelegateVotesChanged(address,uint256,uint256)",
    # timelocks
    "CallScheduled(bytes32,uint256,address,uint256,bytes,bytes32,uint256)",
    "CallExecuted(bytes32,uint256,address,uint256,bytes)",
    "CallSalt(bytes32,bytes32)",
    "Cancelled(bytes32)",
    "MinDelayChange(uint256,uint256)",
)


def well_known_signature(topic: bytes) -> str | None:
    """Return the signature of a well-known event by a log's first topic; None for any other."""
    return _by_topic().get(topic)


@cache
def _by_topic() -> dict[bytes, str]:
    return {bytes(keccak(text=signature)): signature for signature in _SIGNATURES}
