"""A local chain with a fund and as many Transfers of its shares as asked for, many in every block.

The node is plain and mines only when told: nothing happens on it while something is measured, unless the measurement says
so. What is laid is the same for the same number of events.
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

from paimon.gateway.cli.demo.anvil import CHAIN_ID, DEVELOPMENT_MNEMONIC, find_anvil
from paimon.gateway.cli.demo.chain_rpc import ChainRpc
from paimon.gateway.cli.demo.errors import DemoError
from paimon.gateway.cli.demo.fund import FundAddresses, deploy_fund
from paimon.gateway.cli.demo.fund_sending import Chain
from paimon.gateway.cli.demo.people import INVESTORS, People
from paimon.gateway.cli.demo.ports import HOST, free_port

CONTRACTS: Final = Path(__file__).parents[1] / "contracts"
EVENTS_PER_BLOCK: Final = 80
TRANSACTIONS_PER_BLOCK: Final = 4
HOLDERS: Final = 2_000
_TRANSFER: Final = "0x" + keccak(text="Transfer(address,address,uint256)").hex()
_UNFINAL: Final = 2
"""Blocks that are never final with one-slot epochs."""


@dataclass(frozen=True, slots=True)
class DenseChain:
    """A deployed fund; the last final block that has events, and how many Transfers of shares there are up to it."""

    rpc: ChainRpc
    fund: FundAddresses
    people: People
    last_block: int
    transfers: int

    @property
    def url(self) -> str:
        return self.rpc.url

    @property
    def ws_url(self) -> str:
        return self.rpc.url.replace("http://", "ws://")


@contextmanager
def dense_chain(events: int) -> Iterator[DenseChain]:
    """The chain, until the block ends."""
    with _node() as rpc:
        people = People.of(DEVELOPMENT_MNEMONIC)
        rpc.call("evm_setIntervalMining", 1)
        fund = deploy_fund(rpc.url, people=people.fund_people(), artifacts=CONTRACTS / "artifacts", progress=lambda _line: None)
        rpc.call("evm_setIntervalMining", 0)
        last = _scatter(rpc, fund, people, events)
        yield DenseChain(rpc, fund, people, last, _transfers(rpc, fund.vault, fund.start_block, last))


@contextmanager
def _node() -> Iterator[ChainRpc]:
    port = free_port()
    command = [str(find_anvil(CONTRACTS)), "--host", HOST, "--port", str(port), "--quiet", "--chain-id", str(CHAIN_ID)]
    process = subprocess.Popen([*command, "--mnemonic", DEVELOPMENT_MNEMONIC, "--slots-in-an-epoch", "1", "--no-mining"])
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


def _scatter(rpc: ChainRpc, fund: FundAddresses, people: People, events: int) -> int:
    """Spread an investor's shares in `events` transfers; the last block that has some."""
    investor = people.account(INVESTORS[0])
    with Chain(rpc.url, CONTRACTS / "artifacts") as chain:
        scatter = chain.deploy(investor, "Scatter")
        shares = int(chain.read("Vault", fund.vault, "balanceOf", investor.address))
        chain.call(investor, "Vault", fund.vault, "transfer", scatter, shares // 2)
        rpc.call("evm_mine")
        chain.confirm()
    each, sender = EVENTS_PER_BLOCK // TRANSACTIONS_PER_BLOCK, investor.address
    rpc.call("anvil_impersonateAccount", sender)
    rpc.call("anvil_setBalance", sender, hex(10**24))
    calls = [_call(fund.vault, first, each) for first in range(0, HOLDERS, each)]
    sent = 0
    for number in range(-(-events // EVENTS_PER_BLOCK)):
        for place in range(TRANSACTIONS_PER_BLOCK):
            data = calls[(number * TRANSACTIONS_PER_BLOCK + place) % len(calls)]
            rpc.call("eth_sendTransaction", {"from": sender, "to": scatter, "data": data, "gas": hex(3_000_000)})
        rpc.call("evm_mine")
        sent += EVENTS_PER_BLOCK
        if sent % 20_000 == 0:
            print(f"  {sent:,} of {events:,} events are on the chain", flush=True)
    last = rpc.head().number
    for _ in range(_UNFINAL):
        rpc.call("evm_mine")
    return last


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
