"""A local chain with a fund and a given number of Transfers of its shares, many in every block.

The node mines on demand only, so that nothing happens on it during a measurement unless the measurement mines. The number of
events determines the chain.
"""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from paimon_devkit.stack.accounts import INVESTORS, DemoAccounts
from paimon_devkit.stack.chain_rpc import ChainRpc
from paimon_devkit.stack.chain_session import ChainSession
from paimon_devkit.stack.embedded_chain import ANVIL_MNEMONIC, CHAIN_ID, find_anvil
from paimon_devkit.stack.errors import DemoError
from paimon_devkit.stack.fund_deployment import FundDeployment, deploy_fund
from paimon_devkit.stack.ports import HOST, free_port

CONTRACTS: Final = Path(__file__).parents[1] / "contracts"
EVENTS_PER_BLOCK: Final = 80
TRANSACTIONS_PER_BLOCK: Final = 4
TRANSFERS_OF_A_LIVE_BLOCK: Final = 5
HOLDERS: Final = 2_000
_TRANSFER: Final = "0x" + keccak(text="Transfer(address,address,uint256)").hex()
NON_FINAL_BLOCKS: Final = 2
"""How many blocks at the head are not final, with one-slot epochs."""


@dataclass(frozen=True, slots=True)
class DenseChain:
    """A deployed fund, the last final block with events, and the number of Transfers of shares up to it."""

    rpc: ChainRpc
    fund: FundDeployment
    accounts: DemoAccounts
    last_block: int
    transfers: int
    scatter: str

    @property
    def url(self) -> str:
        """The URL of JSON-RPC over HTTP."""
        return self.rpc.url

    def add_block(self) -> None:
        """Mine one more block, with a transaction of a few Transfers."""
        _send(self.rpc, self.accounts, self.scatter, _call(self.fund.vault, 0, TRANSFERS_OF_A_LIVE_BLOCK))
        self.rpc.call("evm_mine")

    @property
    def ws_url(self) -> str:
        """The URL of JSON-RPC over WebSocket."""
        return self.rpc.url.replace("http://", "ws://")


@contextmanager
def dense_chain(events: int) -> Iterator[DenseChain]:
    """Run the chain."""
    with _node() as rpc:
        accounts = DemoAccounts.of(ANVIL_MNEMONIC)
        rpc.call("evm_setIntervalMining", 1)
        fund = deploy_fund(
            rpc.url, accounts=accounts.fund_accounts(), artifacts=CONTRACTS / "artifacts", progress=lambda _line: None
        )
        rpc.call("evm_setIntervalMining", 0)
        scatter = _deploy(rpc, fund, accounts)
        last = _scatter(rpc, fund, accounts, scatter, events)
        yield DenseChain(rpc, fund, accounts, last, _transfers(rpc, fund.vault, fund.start_block, last), scatter)


@contextmanager
def _node() -> Iterator[ChainRpc]:
    port = free_port()
    command = [str(find_anvil(CONTRACTS)), "--host", HOST, "--port", str(port), "--quiet", "--chain-id", str(CHAIN_ID)]
    process = subprocess.Popen([*command, "--mnemonic", ANVIL_MNEMONIC, "--slots-in-an-epoch", "1", "--no-mining"])
    rpc = ChainRpc(f"http://{HOST}:{port}", timeout_seconds=120)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                rpc.head()
                break
            except (OSError, DemoError):
                assert time.monotonic() < deadline, "the node did not start"
                time.sleep(0.05)
        yield rpc
    finally:
        process.terminate()
        process.wait(30)


def _deploy(rpc: ChainRpc, fund: FundDeployment, accounts: DemoAccounts) -> str:
    """Deploy a contract that holds half of an investor's shares and sends them for any caller."""
    investor = accounts.account(INVESTORS[0])
    with ChainSession(rpc.url, CONTRACTS / "artifacts") as chain:
        scatter = chain.deploy(investor, "Scatter")
        shares = int(chain.read("Vault", fund.vault, "balanceOf", investor.address))
        chain.call(investor, "Vault", fund.vault, "transfer", scatter, shares // 2)
        rpc.call("evm_mine")
        chain.confirm()
    rpc.call("anvil_impersonateAccount", investor.address)
    rpc.call("anvil_setBalance", investor.address, hex(10**24))
    return scatter


def _scatter(rpc: ChainRpc, fund: FundDeployment, accounts: DemoAccounts, scatter: str, events: int) -> int:
    """Spread the shares in `events` transfers, and return the last block with a transfer."""
    transfers = EVENTS_PER_BLOCK // TRANSACTIONS_PER_BLOCK
    calls = [_call(fund.vault, first, transfers) for first in range(0, HOLDERS, transfers)]
    for number in range(-(-events // EVENTS_PER_BLOCK)):
        for place in range(TRANSACTIONS_PER_BLOCK):
            _send(rpc, accounts, scatter, calls[(number * TRANSACTIONS_PER_BLOCK + place) % len(calls)])
        rpc.call("evm_mine")
        if (sent := (number + 1) * EVENTS_PER_BLOCK) % 20_000 == 0:
            print(f"  {sent:,} of {events:,} events are on the chain", flush=True)
    last = rpc.head().number
    for _ in range(NON_FINAL_BLOCKS):
        rpc.call("evm_mine")
    return last


def _send(rpc: ChainRpc, accounts: DemoAccounts, scatter: str, data: str) -> None:
    sender = accounts.account(INVESTORS[0]).address
    rpc.call("eth_sendTransaction", {"from": sender, "to": scatter, "data": data, "gas": hex(3_000_000)})


def _call(vault: str, first: int, number: int) -> str:
    recipients = [f"0x{0x1000 + first + place:040x}" for place in range(number)]
    selector = keccak(text="scatter(address,address[],uint256)")[:4]
    return "0x" + (selector + encode(["address", "address[]", "uint256"], [vault, recipients, 1_000])).hex()


def _transfers(rpc: ChainRpc, vault: str, first: int, last: int) -> int:
    total = 0
    for begin in range(first, last + 1, 500):
        span = {"fromBlock": hex(begin), "toBlock": hex(min(begin + 499, last)), "address": vault, "topics": [_TRANSFER]}
        total += len(rpc.call("eth_getLogs", span))
    return total
