"""Send many transactions to a local chain quickly: sign ahead with explicit nonces, then wait for all receipts at once.

For the test fund only. The product sends by `application/transactions`.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final, Self, cast

from eth_abi.abi import encode
from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress, HexStr
from hexbytes import HexBytes
from requests import Session
from web3 import Web3
from web3.exceptions import ContractLogicError, TransactionNotFound
from web3.types import Nonce, RPCEndpoint, TxParams, TxReceipt
from web3.utils.address import get_create_address

from paimon.infrastructure.blockchain.abi.contract_abi import ContractAbi
from paimon_devkit.stack.errors import DemoError

CALL_GAS: Final = 1_500_000
"""Enough for any call of the fund: no gas has to be estimated before the earlier transaction is mined."""
DEPLOY_GAS: Final = 6_000_000

_RECEIPT_SECONDS_MAX: Final = 60.0
_RECEIPT_POLL_SECONDS: Final = 0.1


class TransactionFailed(DemoError):
    """A transaction reverted or was not mined; the message names it and the contract's reason."""


@dataclass(frozen=True)
class Artifact:
    """A compiled contract, as `contracts/compile.mjs` writes it. A process reads each file once."""

    name: str
    items: Sequence[Mapping[str, Any]]
    bytecode: bytes
    runtime_bytecode: bytes = b""
    """What stands at the address of a deployed contract; empty where the file does not have it."""

    @classmethod
    @cache
    def load(cls, path: Path) -> Self:
        content = json.loads(path.read_text())
        bytecodes = (bytes.fromhex(content.get(field, "0x")[2:]) for field in ("bytecode", "deployedBytecode"))
        return cls(content["contractName"], content["abi"], *bytecodes)

    @cached_property
    def abi(self) -> ContractAbi:
        return ContractAbi(self.items)

    def creation_code(self, *args: Any) -> bytes:
        """Return the bytecode followed by the constructor's arguments."""
        constructor = [item for item in self.items if item["type"] == "constructor"]
        types = [parameter["type"] for item in constructor for parameter in item["inputs"]]
        return self.bytecode + encode(types, args)


@dataclass(frozen=True, slots=True)
class _PendingTransaction:
    label: str
    hash: HexBytes
    call: TxParams


class ChainSession:
    """One endpoint, the contracts' artifacts and the transactions not yet confirmed. Use it as a context manager."""

    def __init__(self, rpc_url: str, artifacts: Path, *, contracts: Mapping[str, Artifact] | None = None) -> None:
        """Open a session. `artifacts` is the folder of the fund's compiled contracts; `contracts` are others by name."""
        self._session = Session()
        self._provider = Web3.HTTPProvider(rpc_url, session=self._session)
        self.web3 = Web3(self._provider)
        self.id = self.web3.eth.chain_id
        self.artifacts = {path.stem: Artifact.load(path) for path in sorted(artifacts.glob("*.json"))} | dict(contracts or {})
        self._fees = _fees(self.web3)
        self._nonces: dict[ChecksumAddress, Nonce] = {}
        self._pending: list[_PendingTransaction] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def request(self, method: str, params: list[Any]) -> None:
        """Send a request of the node's own, such as `anvil_setBalance`. Raises TransactionFailed."""
        answer = self._provider.make_request(RPCEndpoint(method), params)
        if "error" in answer:
            raise TransactionFailed(f"{method} was refused: {answer['error']}")

    def read(self, contract: str, address: ChecksumAddress, function: str, *args: Any) -> Any:
        """Call a view at the latest block and return its decoded result."""
        abi = self.artifacts[contract].abi
        answer = self.web3.eth.call({"to": address, "data": HexBytes(abi.encode_call(function, *args))})
        return abi.decode_result(function, bytes(answer))

    def encode(self, contract: str, function: str, *args: Any) -> bytes:
        """Encode a call."""
        return self.artifacts[contract].abi.encode_call(function, *args)

    def deploy(self, sender: LocalAccount, contract: str, *args: Any) -> ChecksumAddress:
        """Send a contract's creation and return its address, which follows from the sender's nonce."""
        address = get_create_address(sender.address, self._next_nonce(sender.address))
        data = HexBytes(self.artifacts[contract].creation_code(*args))
        self._send(sender, f"deploy {contract}", {"data": data, "gas": DEPLOY_GAS})
        return address

    def call(self, sender: LocalAccount, contract: str, address: ChecksumAddress, function: str, *args: Any) -> None:
        """Send a call without waiting for its receipt."""
        data = HexBytes(self.artifacts[contract].abi.encode_call(function, *args))
        self._send(sender, f"{contract}.{function}", {"to": address, "data": data, "gas": CALL_GAS})

    def require_accepted(
        self, sender: LocalAccount, contract: str, address: ChecksumAddress, function: str, *args: Any
    ) -> None:
        """Check that the call would succeed now. Raises TransactionFailed with the contract's reason."""
        data = HexBytes(self.artifacts[contract].abi.encode_call(function, *args))
        try:
            self.web3.eth.call({"from": sender.address, "to": address, "data": data})
        except ContractLogicError as error:
            raise TransactionFailed(f"{contract}.{function} would be refused: {self._explain(error)}") from error

    def pay(self, sender: LocalAccount, to: ChecksumAddress, amount_wei: int) -> None:
        """Send native coins without waiting for the receipt."""
        self._send(sender, f"pay {to}", {"to": to, "value": Web3.to_wei(amount_wei, "wei"), "gas": 21_000})

    def confirm(self) -> list[TxReceipt]:
        """Wait until every sent transaction is mined, and return the receipts in order.

        Raises:
            TransactionFailed: a transaction reverted or was not mined in time.
        """
        pending, self._pending = self._pending, []
        deadline = time.monotonic() + _RECEIPT_SECONDS_MAX
        return [self._receipt(transaction, deadline) for transaction in pending]

    def _send(self, sender: LocalAccount, label: str, fields: TxParams) -> None:
        nonce = self._next_nonce(sender.address)
        frame: TxParams = {"type": 2, "chainId": self.id, "nonce": nonce, "value": Web3.to_wei(0, "wei")}
        signed = sender.sign_transaction(cast(dict[str, Any], {**frame, **self._fees, **fields}))
        self.web3.eth.send_raw_transaction(signed.raw_transaction)
        self._nonces[sender.address] = Nonce(nonce + 1)
        call: TxParams = {"from": sender.address, **fields}
        self._pending.append(_PendingTransaction(label, signed.hash, call))

    def _next_nonce(self, address: ChecksumAddress) -> Nonce:
        if address not in self._nonces:
            self._nonces[address] = self.web3.eth.get_transaction_count(address, "pending")
        return self._nonces[address]

    def _receipt(self, pending: _PendingTransaction, deadline: float) -> TxReceipt:
        while True:
            try:
                receipt = self.web3.eth.get_transaction_receipt(pending.hash)
                break
            except TransactionNotFound as error:
                if time.monotonic() > deadline:
                    raise TransactionFailed(
                        f"{pending.label} was not mined within {_RECEIPT_SECONDS_MAX:g} s: {pending.hash.to_0x_hex()}"
                    ) from error
                time.sleep(_RECEIPT_POLL_SECONDS)
        if receipt["status"] != 1:
            raise TransactionFailed(
                f"{pending.label} failed in block {receipt['blockNumber']}: {self._reason(pending, receipt)}"
            )
        return receipt

    def _reason(self, pending: _PendingTransaction, receipt: TxReceipt) -> str:
        """Return the revert reason of the call repeated after its block, which is nearly always the reason inside it."""
        try:
            self.web3.eth.call(pending.call, receipt["blockNumber"])
        except ContractLogicError as error:
            return self._explain(error)
        return "it would succeed now, so it came too early in its block or ran out of gas"

    def _explain(self, error: ContractLogicError) -> str:
        data = error.data
        reasons = ContractAbi([item for each in self.artifacts.values() for item in each.items if item["type"] == "error"])
        return reasons.explain_revert(bytes(HexBytes(HexStr(data))) if isinstance(data, str) else None)


def _fees(web3: Web3) -> TxParams:
    """Return fees that allow the base fee to double: dozens of transactions are signed with one reading of it."""
    tip = web3.eth.max_priority_fee
    base = web3.eth.get_block("latest").get("baseFeePerGas", Web3.to_wei(0, "wei"))
    return {"maxPriorityFeePerGas": tip, "maxFeePerGas": Web3.to_wei(2 * base + tip, "wei")}
