"""Perform actions on the chain: send their transactions in order, and report each outcome.

There are two ways to send. Signed transactions, as wallets send them; and unlocked accounts, for which the chain checks no
signature. Signing costs more than mining, and months of history are tens of thousands of transactions. Both are for the
market's own accounts only.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from hexbytes import HexBytes

from paimon_devkit.market.actions import Action
from paimon_devkit.market.calls import calls_for_action
from paimon_devkit.market.exchange import Call, Exchange
from paimon_devkit.market.node import MarketError, Node
from paimon_devkit.market.summary import Outcome

_FEE_PER_GAS_MAX_WEI: Final = 100 * 10**9
"""Equal for all: the chain orders by fee, so equal fees keep the order of sending."""
_TIP_PER_GAS_WEI: Final = 10**9
_MINES_MAX: Final = 50
_RECEIPT_SECONDS_MAX: Final = 60.0
_RECEIPT_POLL_SECONDS: Final = 0.1

_Hashes = list[tuple[Action, list[str]]]
_Receipts = Mapping[str, Mapping[str, Any]]


class ActionExecutor:
    """Send for the market's accounts on one node."""

    def __init__(self, node: Node, exchange: Exchange) -> None:
        self.node = node
        self.exchange = exchange
        self.transactions = 0
        self.blocks = 0
        self.time = 0
        """The time of the last block that `perform_at` mined."""

    @contextmanager
    def unlocked_accounts(self) -> Iterator[None]:
        """Let the market's accounts send without signing, and mine blocks on demand only; restore both at the end."""
        addresses = [account.address for account in self.exchange.accounts.values()]
        interval = self.node.call("anvil_getIntervalMining") or 1
        self.node.call("evm_setIntervalMining", 0)
        try:
            for address in addresses:
                self.node.call("anvil_impersonateAccount", address)
            yield
        finally:
            for address in addresses:
                self.node.call("anvil_stopImpersonatingAccount", address)
            self.node.call("evm_setIntervalMining", interval)

    def perform_at(self, actions: Sequence[Action], timestamp: int) -> list[Outcome]:
        """Perform all actions in one block at that chain time, inside `unlocked_accounts`. Some may need a further block."""
        self.time = timestamp - 1
        hashes = [
            (action, [self._send_unlocked(call) for call in calls_for_action(action, self.exchange)]) for action in actions
        ]
        return self._outcomes(hashes, self._mine(_flatten_hashes(hashes)))

    def send_all(self, requested_calls: Iterable[Call], *, signed: bool) -> None:
        """Send calls that must all succeed. Raises MarketError, which names the one that failed."""
        calls = list(requested_calls)
        send = self._send_signed if signed else self._send_unlocked
        self.time = int(self.node.call("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
        hashes = [send(call) for call in calls]
        receipts = self._wait(hashes) if signed else self._mine(hashes)
        for call, sent in zip(calls, hashes, strict=True):
            if receipts[sent]["status"] != "0x1":
                raise MarketError(f"the market cannot be set up: {call.label} by {call.sender} reverted: {self._reason(sent)}")

    def perform(self, action: Action) -> Outcome:
        """Perform one action with signed transactions, in the blocks that the chain makes by itself."""
        hashes = [(action, [self._send_signed(call) for call in calls_for_action(action, self.exchange)])]
        return self._outcomes(hashes, self._wait(_flatten_hashes(hashes)))[0]

    def _send_unlocked(self, call: Call) -> str:
        self.transactions += 1
        return str(self.node.call("eth_sendTransaction", _transaction(call, sender=self.exchange.address(call.sender))))

    def _send_signed(self, call: Call) -> str:
        account = self.exchange.accounts[call.sender]
        fields: dict[str, Any] = {
            "type": 2,
            "chainId": int(self.node.call("eth_chainId"), 16),
            "nonce": int(self.node.call("eth_getTransactionCount", account.address, "pending"), 16),
            "gas": call.gas,
            "maxFeePerGas": _FEE_PER_GAS_MAX_WEI,
            "maxPriorityFeePerGas": _TIP_PER_GAS_WEI,
            "value": 0,
            "data": HexBytes(call.data),
        }
        signed = account.sign_transaction(fields if call.to is None else {**fields, "to": call.to})
        self.transactions += 1
        return str(self.node.call("eth_sendRawTransaction", signed.raw_transaction.to_0x_hex()))

    def _mine(self, hashes: Sequence[str]) -> _Receipts:
        receipts: dict[str, Mapping[str, Any]] = {}
        for _ in range(_MINES_MAX):
            self.time += 1
            self.node.call("evm_setNextBlockTimestamp", self.time)
            self.node.call("evm_mine")
            self.blocks += 1
            for receipt in self.node.call("eth_getBlockReceipts", "latest"):
                receipts[receipt["transactionHash"]] = receipt
            if all(transaction_hash in receipts for transaction_hash in hashes):
                return receipts
        raise MarketError(f"{len(hashes)} transactions were not mined in {_MINES_MAX} blocks")

    def _wait(self, hashes: Sequence[str]) -> _Receipts:
        deadline = time.monotonic() + _RECEIPT_SECONDS_MAX
        while True:
            found = self.node.batch(("eth_getTransactionReceipt", [transaction_hash]) for transaction_hash in hashes)
            if all(found):
                return dict(zip(hashes, found, strict=True))
            if time.monotonic() > deadline:
                raise MarketError(f"the chain did not mine the market's transactions within {_RECEIPT_SECONDS_MAX:g} s")
            time.sleep(_RECEIPT_POLL_SECONDS)

    def _outcomes(self, hashes: _Hashes, receipts: _Receipts) -> list[Outcome]:
        def first_reason(sent: list[str]) -> str | None:
            failed = (transaction_hash for transaction_hash in sent if receipts[transaction_hash]["status"] != "0x1")
            return next(map(self._reason, failed), None)

        return [Outcome(action, first_reason(sent)) for action, sent in hashes]

    def _reason(self, transaction_hash: str) -> str:
        """Return the revert reason from a trace of the transaction: repeated later the call may give another reason."""
        options = {"tracer": "callTracer", "tracerConfig": {"onlyTopCall": True}}
        trace = self.node.call("debug_traceTransaction", transaction_hash, options)
        output = trace.get("output") or "0x"
        if output == "0x":
            return str(trace.get("error") or "reverted without a reason")
        return self.exchange.reasons.explain_revert(bytes.fromhex(output[2:]))


def _flatten_hashes(hashes: _Hashes) -> list[str]:
    return [transaction_hash for _, sent in hashes for transaction_hash in sent]


def _transaction(call: Call, *, sender: str) -> dict[str, str]:
    fields = {
        "from": sender,
        "gas": hex(call.gas),
        "maxFeePerGas": hex(_FEE_PER_GAS_MAX_WEI),
        "maxPriorityFeePerGas": hex(_TIP_PER_GAS_WEI),
        "data": "0x" + call.data.hex(),
    }
    return fields if call.to is None else {**fields, "to": call.to}
