"""Performing actions on the chain: sending their transactions in order, and saying what became of each.

Two ways to send. Signed, as people do; and unlocked, where the chain takes the sender's word: signing costs more than
mining, and months of history are tens of thousands of transactions. Both are for the market's own accounts only.
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
"""The same for all: the chain orders by it, so that equal fees keep the order of sending."""
_TIP_PER_GAS_WEI: Final = 10**9
_MINES_MAX: Final = 50
_RECEIPT_SECONDS_MAX: Final = 60.0
_RECEIPT_POLL_SECONDS: Final = 0.1

_Hashes = list[tuple[Action, list[str]]]
_Receipts = Mapping[str, Mapping[str, Any]]


class ActionExecutor:
    """Sends for the market's accounts on one node."""

    def __init__(self, node: Node, exchange: Exchange) -> None:
        self.node = node
        self.exchange = exchange
        self.transactions = 0
        self.blocks = 0
        self.time = 0
        """Of the last block mined by `perform_at`."""

    @contextmanager
    def unlocked_accounts(self) -> Iterator[None]:
        """The market's accounts may send without signing, and blocks are mined on demand only; afterwards as before."""
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
        """All in one block at that chain time (or the next few, where they do not fit). Needs `unlocked`."""
        self.time = timestamp - 1
        hashes = [
            (action, [self._send_unlocked(call) for call in calls_for_action(action, self.exchange)]) for action in actions
        ]
        return self._outcomes(hashes, self._mine(_flatten_hashes(hashes)))

    def send_all(self, requested_calls: Iterable[Call], *, signed: bool) -> None:
        """Preparations: all must succeed. Raises MarketError, naming the one that did not."""
        prepared = list(requested_calls)
        send = self._send_signed if signed else self._send_unlocked
        self.time = int(self.node.call("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
        hashes = [send(call) for call in prepared]
        receipts = self._wait(hashes) if signed else self._mine(hashes)
        for call, sent in zip(prepared, hashes, strict=True):
            if receipts[sent]["status"] != "0x1":
                raise MarketError(f"the market could not open: {call.what} by {call.sender} says {self._reason(sent)}")

    def perform(self, action: Action) -> Outcome:
        """One action, signed, in whatever blocks the chain makes by itself."""
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
            if all(each in receipts for each in hashes):
                return receipts
        raise MarketError(f"{len(hashes)} transactions were not mined in {_MINES_MAX} blocks")

    def _wait(self, hashes: Sequence[str]) -> _Receipts:
        deadline = time.monotonic() + _RECEIPT_SECONDS_MAX
        while True:
            found = self.node.batch(("eth_getTransactionReceipt", [each]) for each in hashes)
            if all(found):
                return dict(zip(hashes, found, strict=True))
            if time.monotonic() > deadline:
                raise MarketError(f"the chain did not mine the market's transactions within {_RECEIPT_SECONDS_MAX:g} s")
            time.sleep(_RECEIPT_POLL_SECONDS)

    def _outcomes(self, hashes: _Hashes, receipts: _Receipts) -> list[Outcome]:
        def failed(each: str) -> bool:
            return bool(receipts[each]["status"] != "0x1")

        return [Outcome(action, next((self._reason(each) for each in sent if failed(each)), None)) for action, sent in hashes]

    def _reason(self, transaction_hash: str) -> str:
        """Exactly what it said in its place, from a trace: repeated later it may say something else."""
        options = {"tracer": "callTracer", "tracerConfig": {"onlyTopCall": True}}
        trace = self.node.call("debug_traceTransaction", transaction_hash, options)
        output = trace.get("output") or "0x"
        if output == "0x":
            return str(trace.get("error") or "reverted without a reason")
        return self.exchange.reasons.explain_revert(bytes.fromhex(output[2:]))


def _flatten_hashes(hashes: _Hashes) -> list[str]:
    return [each for _, sent in hashes for each in sent]


def _transaction(call: Call, *, sender: str) -> dict[str, str]:
    fields = {
        "from": sender,
        "gas": hex(call.gas),
        "maxFeePerGas": hex(_FEE_PER_GAS_MAX_WEI),
        "maxPriorityFeePerGas": hex(_TIP_PER_GAS_WEI),
        "data": "0x" + call.data.hex(),
    }
    return fields if call.to is None else {**fields, "to": call.to}
