"""A secp256k1 key in this process's memory. The signer process is the only one that has any."""

from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_canonical_address

from paimon.domain.chain import Address, Hash32, checksum, hex0x
from paimon.domain.signing import FeeKind, SignedTransaction, UnsignedTransaction


class LocalKey:
    """Signs what it is given; what may be given is decided before."""

    def __init__(self, private_key: bytes) -> None:
        self._account: LocalAccount = Account.from_key(private_key)
        self.address = Address(to_canonical_address(self._account.address))

    def sign(self, transaction: UnsignedTransaction) -> SignedTransaction:
        signed = self._account.sign_transaction(_fields(transaction))
        return SignedTransaction(bytes(signed.raw_transaction), Hash32(bytes(signed.hash)))


def _fields(transaction: UnsignedTransaction) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "chainId": transaction.chain_id,
        "nonce": transaction.nonce,
        "gas": transaction.gas_limit,
        "to": checksum(transaction.call.to),
        "value": transaction.call.value_wei,
        "data": hex0x(transaction.call.data),
    }
    if transaction.fee_kind is FeeKind.LEGACY:
        return fields | {"gasPrice": transaction.fees.max_fee_wei}
    return fields | {
        "type": 2,
        "maxFeePerGas": transaction.fees.max_fee_wei,
        "maxPriorityFeePerGas": transaction.fees.priority_fee_wei,
    }
