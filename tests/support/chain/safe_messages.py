"""Sign a text for a Safe, as its owners' wallets do for EIP-1271 in the form with bytes32."""

from collections.abc import Sequence

from eth_account.signers.local import LocalAccount
from eth_typing import Hash32 as EthHash
from eth_utils.crypto import keccak
from tests.support.chain.safes import address_of

from paimon.domain.kernel.chain import Address, hex0x
from paimon.domain.transaction.safe_transaction import OwnerSignature, abi_word, pack_signatures
from paimon.infrastructure.keys.signatures import text_digest

_DOMAIN_TYPE = keccak(text="EIP712Domain(uint256 chainId,address verifyingContract)")
_MESSAGE_TYPE = keccak(text="SafeMessage(bytes message)")


def sign_for_safe(text: str, safe: Address, owners: Sequence[LocalAccount], *, chain_id: int = 31337) -> str:
    """Return the owners' packed signatures over the Safe's message of this text."""
    domain = keccak(_DOMAIN_TYPE + chain_id.to_bytes(32, "big") + bytes(12) + safe)
    digest = keccak(b"\x19\x01" + domain + keccak(_MESSAGE_TYPE + abi_word(keccak(text_digest(text)))))
    signed = [
        OwnerSignature(address_of(owner), bytes(owner.unsafe_sign_hash(EthHash(digest)).signature), is_contract_signature=False)
        for owner in owners
    ]
    return hex0x(pack_signatures(signed))
