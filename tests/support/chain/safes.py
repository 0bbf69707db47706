"""Real Safe 1.4.1 contracts on the test's chain, their owners, and the owners' signatures."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import safe_eth.eth.contracts
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount
from eth_typing import Hash32
from eth_utils.crypto import keccak
from tests.support.chain.fund import TestFund

from paimon.domain.kernel.chain import ZERO_ADDRESS, Address, checksum, hex0x, parse_address
from paimon.domain.transaction.lifecycle import Call
from paimon.domain.transaction.safe_transaction import (
    OwnerSignature,
    SafeOperation,
    SafeScope,
    SafeTransaction,
    abi_word,
    pack_signatures,
    rejection_transaction,
    safe_transaction_document,
    safe_transaction_hashes,
)
from paimon.infrastructure.blockchain.contracts.safe import build_execution_call
from paimon_devkit.stack.accounts import ADMIN
from paimon_devkit.stack.chain_session import Artifact

_SHIPPED: Final = Path(safe_eth.eth.contracts.__file__).parent / "abis"
_MESSAGE_TYPE: Final = keccak(text="SafeMessage(bytes message)")
SENTINEL: Final = checksum((1).to_bytes(20, "big"))
"""The first entry of a Safe's list of owners."""
_salts: Final = itertools.count(1)


def _artifact(name: str) -> Artifact:
    return Artifact.load(_SHIPPED / f"{name}_V1_4_1.json")


SAFE_ABI: Final = _artifact("Safe").abi


def owner_account(number: int) -> LocalAccount:
    """Return the key of a Safe owner, whose account has no balance."""
    account: LocalAccount = Account.from_key(keccak(text=f"owner {number}"))
    return account


def address_of(account: LocalAccount) -> Address:
    return parse_address(account.address)


def signature_by_key(account: LocalAccount, transaction: SafeTransaction, scope: SafeScope) -> OwnerSignature:
    """Sign as an owner's wallet does."""
    signed = account.sign_typed_data(full_message=safe_transaction_document(transaction, scope))
    return OwnerSignature(address_of(account), bytes(signed.signature), is_contract_signature=False)


def signature_by_eth_sign(account: LocalAccount, transaction: SafeTransaction, scope: SafeScope) -> OwnerSignature:
    """Sign the hash as a text, and add 4 to the last byte, as a Safe's own tools do for an owner's `eth_sign`."""
    digest = safe_transaction_hashes(transaction, scope).transaction
    signature = bytes(account.sign_message(encode_defunct(primitive=digest)).signature)
    return OwnerSignature(address_of(account), signature[:-1] + bytes([signature[-1] + 4]), is_contract_signature=False)


def signature_by_safe(
    inner: Address, accounts: Sequence[LocalAccount], transaction: SafeTransaction, scope: SafeScope
) -> OwnerSignature:
    """Sign for a Safe that is an owner: its own owners sign a message whose content is the preimage."""
    content = safe_transaction_hashes(transaction, scope).preimage
    signatures = signature_by_safe_message(inner, accounts, content, chain_id=scope.chain_id)
    return OwnerSignature(inner, signatures, is_contract_signature=True)


def signature_by_safe_message(safe: Address, accounts: Sequence[LocalAccount], content: bytes, *, chain_id: int) -> bytes:
    """Sign a message for a Safe, as its owners' wallets do. For EIP-1271's `bytes32` form the content is the digest."""
    domain = safe_transaction_hashes(rejection_transaction(0, safe), SafeScope(chain_id, safe)).domain
    digest = keccak(b"\x19\x01" + domain + keccak(_MESSAGE_TYPE + abi_word(keccak(content))))
    signed = [
        OwnerSignature(address_of(account), bytes(account.unsafe_sign_hash(Hash32(digest)).signature), False)
        for account in accounts
    ]
    return pack_signatures(signed)


@dataclass(frozen=True)
class SafeFactory:
    """Create Safes on one test's chain by the official factory, with the usual handler."""

    fund: TestFund
    singleton: Address
    proxy_factory: Address
    handler: Address
    multi_send: Address

    @classmethod
    def open(cls, fund: TestFund) -> "SafeFactory":
        names = ("Safe", "ProxyFactory", "CompatibilityFallbackHandler", "MultiSendCallOnly")
        return cls(fund, *(_deploy(fund, name) for name in names))

    def safe(self, owners: Sequence[Address], threshold: int) -> Address:
        """Create a Safe of these owners."""
        zero = checksum(ZERO_ADDRESS)
        owner_addresses, handler = [checksum(address) for address in owners], checksum(self.handler)
        setup = SAFE_ABI.encode_call("setup", owner_addresses, threshold, zero, b"", handler, zero, 0, zero)
        proxy_factory = _artifact("ProxyFactory").abi
        data = proxy_factory.encode_call("createProxyWithNonce", checksum(self.singleton), setup, next(_salts))
        receipt = self.send(Call(self.proxy_factory, data))
        return next(
            parse_address("0x" + log["topics"][1][-40:])
            for log in receipt["logs"]
            if proxy_factory.decode_log([bytes.fromhex(topic[2:]) for topic in log["topics"]], bytes.fromhex(log["data"][2:]))
        )

    def send(self, call: Call, *, by: str = ADMIN) -> dict[str, Any]:
        """Send one transaction of an account of the fund and mine it. Return its receipt."""
        return send(self.fund, {"to": checksum(call.to), "data": hex0x(call.data)}, by=by)

    def execute(self, scope: SafeScope, transaction: SafeTransaction, signatures: Sequence[OwnerSignature]) -> dict[str, Any]:
        """Execute a Safe transaction outside this system. Return the receipt, also of a failed execution."""
        return self.send(build_execution_call(scope.safe, transaction, pack_signatures(signatures)))

    def read(self, safe: Address, function: str, *args: Any) -> Any:
        answer = self.fund.node.rpc.call(
            "eth_call", {"to": checksum(safe), "data": hex0x(SAFE_ABI.encode_call(function, *args))}, "latest"
        )
        return SAFE_ABI.decode_result(function, bytes.fromhex(answer[2:]))

    def swap_owner(self, safe: Address, old: LocalAccount, new: LocalAccount) -> None:
        """Replace the only owner of a Safe, and wait until that is final."""
        scope = SafeScope(31337, safe)
        call = Call(safe, SAFE_ABI.encode_call("swapOwner", SENTINEL, checksum(address_of(old)), checksum(address_of(new))))
        transaction = SafeTransaction(call, SafeOperation.CALL, self.read(safe, "nonce"))
        receipt = self.execute(scope, transaction, [signature_by_key(old, transaction, scope)])
        assert int(receipt["status"], 16) == 1
        self.fund.wait_until_final()

    def grant(self, safe: Address, role: bytes) -> None:
        """Grant the Safe a role on the AssetController."""
        self.fund.send(ADMIN, "AssetController", "grantRole", role, checksum(safe))


def send(fund: TestFund, transaction: dict[str, str], *, by: str = ADMIN) -> dict[str, Any]:
    sender = fund.accounts.address(by)
    hash_ = fund.node.rpc.call("eth_sendTransaction", {"from": sender, "gas": hex(8_000_000)} | transaction)
    fund.mine(1)
    receipt: dict[str, Any] = fund.node.rpc.call("eth_getTransactionReceipt", hash_)
    return receipt


def _deploy(fund: TestFund, name: str) -> Address:
    receipt = send(fund, {"data": hex0x(_artifact(name).creation_code())})
    assert int(receipt["status"], 16) == 1
    return Address(bytes.fromhex(receipt["contractAddress"][2:]))
