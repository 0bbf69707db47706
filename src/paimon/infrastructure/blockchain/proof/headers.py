"""Recompute a block's hash from its header as a node returns it in JSON, instead of trusting the node's hash.

Each fork appended fields to the header. A node omits the fields that its chain does not have yet. A field that is missing
before a present one counts as empty. Source: go-ethereum and bsc, core/types/block.go (rlp:"optional").
"""

from collections.abc import Mapping
from typing import Any, Final

from paimon.domain.kernel.chain import Hash32
from paimon.infrastructure.blockchain.proof.keccak import keccak256
from paimon.infrastructure.blockchain.proof.merkle import rlp_encode

_BASE_FIELDS: Final = (
    "parentHash",
    "sha3Uncles",
    "miner",
    "stateRoot",
    "transactionsRoot",
    "receiptsRoot",
    "logsBloom",
    "difficulty",
    "number",
    "gasLimit",
    "gasUsed",
    "timestamp",
    "extraData",
    "mixHash",
    "nonce",
)
_FORK_FIELDS: Final = (
    "baseFeePerGas",  # London
    "withdrawalsRoot",  # Shanghai
    "blobGasUsed",  # Cancun
    "excessBlobGas",
    "parentBeaconBlockRoot",
    "requestsHash",  # Prague
    "blockAccessListHash",  # Amsterdam
    "slotNumber",
)
_QUANTITIES: Final = frozenset({
    "difficulty",
    "number",
    "gasLimit",
    "gasUsed",
    "timestamp",
    "baseFeePerGas",
    "blobGasUsed",
    "excessBlobGas",
    "slotNumber",
})  # fmt: skip


def header_hash(header: Mapping[str, Any]) -> Hash32:
    """Return the hash of this header.

    Raises:
        KeyError, TypeError, ValueError: a field that every header has is missing, or a field is not hex.
    """
    fields = [_field(name, header[name]) for name in _BASE_FIELDS]
    for name in _FORK_FIELDS:
        value = header.get(name)
        fields.append(b"" if value is None else _field(name, value))
    present = len(fields)
    while header.get(_FORK_FIELDS[present - len(_BASE_FIELDS) - 1]) is None and present > len(_BASE_FIELDS):
        present -= 1
    return Hash32(keccak256(rlp_encode(fields[:present])))


def _field(name: str, value: str) -> bytes:
    digits = value[2:]
    if name in _QUANTITIES:  # without leading zeros, however the node wrote it
        digits = digits.lstrip("0")
        return bytes.fromhex(digits if len(digits) % 2 == 0 else "0" + digits)
    return bytes.fromhex(digits)
