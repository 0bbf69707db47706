"""Encode transactions: the hash that is signed, and the bytes that are broadcast. Sources: EIP-155, EIP-1559, EIP-2718.

    legacy    rlp(nonce, price, gas, to, value, data, v, r, s)              v = 35 + 2 × chain id + recovery
    EIP-1559  0x02 ‖ rlp(chain id, nonce, tip, max fee, gas, to, value, data, access list, recovery, r, s)

The signed hash is that of the list without its last three fields; legacy has (chain id, 0, 0) in their place.
"""

from typing import Any, Final

import rlp
from eth_utils.crypto import keccak

from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.signing import GasFeeType, SignedTransaction, UnsignedTransaction
from paimon.infrastructure.keys.key import Key, Signature

_TYPE_1559: Final = b"\x02"
_CALL_OF_LEGACY: Final = slice(3, 6)
_CALL_OF_1559: Final = slice(5, 8)
_NO_ACCESS_LIST: Final[tuple[Any, ...]] = ()


async def sign_transaction(key: Key, unsigned: UnsignedTransaction) -> SignedTransaction:
    """Sign the transaction and return its bytes.

    Raises:
        KeyUnavailable
    """
    signature = await key.sign_digest(signing_hash(unsigned))
    raw = _encoded(unsigned, signature)
    return SignedTransaction(raw, Hash32(bytes(keccak(raw))))


def signing_hash(unsigned: UnsignedTransaction) -> Hash32:
    """Return the hash that the key signs."""
    if unsigned.gas_fee_type is GasFeeType.LEGACY:
        return Hash32(bytes(keccak(rlp.encode([*_legacy_fields(unsigned), unsigned.chain_id, 0, 0]))))
    return Hash32(bytes(keccak(_TYPE_1559 + rlp.encode(_fields_1559(unsigned)))))


def read_call(raw: bytes, transaction_hash: Hash32) -> Call:
    """Return the call that a transaction's bytes make.

    Raises:
        ValueError: they are not those of this hash, or no transaction that is encoded here.
    """
    if bytes(keccak(raw)) != transaction_hash:
        raise ValueError("its bytes have another hash")
    is_1559 = raw.startswith(_TYPE_1559)
    try:
        fields = rlp.decode(raw.removeprefix(_TYPE_1559) if is_1559 else raw)
        to, value, data = fields[_CALL_OF_1559 if is_1559 else _CALL_OF_LEGACY]
    except (rlp.exceptions.DecodingError, TypeError, ValueError) as error:
        raise ValueError("its bytes are no transaction") from error
    return Call(Address(to), data, RawAmount(int.from_bytes(value)))


def _encoded(unsigned: UnsignedTransaction, signature: Signature) -> bytes:
    if unsigned.gas_fee_type is GasFeeType.LEGACY:
        v = 35 + 2 * unsigned.chain_id + signature.recovery
        return bytes(rlp.encode([*_legacy_fields(unsigned), v, signature.r, signature.s]))
    return bytes(_TYPE_1559 + rlp.encode([*_fields_1559(unsigned), signature.recovery, signature.r, signature.s]))


def _legacy_fields(unsigned: UnsignedTransaction) -> list[Any]:
    call = unsigned.call
    return [unsigned.nonce, unsigned.fees.max_fee_wei, unsigned.gas_limit, call.to, int(call.value_wei), call.data]


def _fields_1559(unsigned: UnsignedTransaction) -> list[Any]:
    call, fees = unsigned.call, unsigned.fees
    return [
        unsigned.chain_id,
        unsigned.nonce,
        fees.priority_fee_wei,
        fees.max_fee_wei,
        unsigned.gas_limit,
        call.to,
        int(call.value_wei),
        call.data,
        _NO_ACCESS_LIST,
    ]
