"""Does what the tables say of sending agree with what the chain shows? Asked when everything has come to rest.

- Each effect happened once: one event of its kind a request, caused by at most one transaction of ours.
- No nonce is missing and none hangs: the counter is the chain's count, nothing waits in the pool, and every transaction the
  chain has of a wallet is a stored attempt, but for those a test says were made elsewhere.
- The tables tell the truth: an attempt is final exactly if it was mined, where and how the receipt says; every intent has
  ended as the chain's state of its request demands; no wallet's drive is interrupted, and no wish of a person's is left.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select
from tests.support.scenarios.workflows import open_wishes

from paimon.application.transactions.effect import EffectUnknown, effect_of_intent
from paimon.composition import House
from paimon.domain.kernel.chain import Address, ContractName, Hash32, checksum, hex0x
from paimon.domain.transaction.lifecycle import AttemptStatus, Effect, IntentKind, IntentStatus
from paimon.domain.transaction.wallet_selection import MoneyFunction
from paimon.infrastructure.blockchain.abi import ContractAbi, load_abi
from paimon.infrastructure.blockchain.finality import get_block
from paimon.infrastructure.blockchain.money_calls import read_buffer
from paimon.infrastructure.database.models.ops.transaction import AttemptRow, IntentRow, WalletRow

_EVENTS: Final = {
    IntentKind.APPROVE_REDEMPTION: "RedemptionApproved",
    IntentKind.REJECT_REDEMPTION: "RedemptionRejected",
    IntentKind.SETTLE_REDEMPTION: "RedemptionSettled",
    IntentKind.EXECUTE_SAFE: "ExecutionSuccess",
}
_EVENTS_OF_STEPS: Final = {
    MoneyFunction.PURCHASE: "AssetPurchased",
    MoneyFunction.REBALANCE_BUFFER: "BufferPoolRebalanced",
}
"""Of calls of a plan, which are about no request: a test's plan has one of each at most."""
_SAFE: Final = load_abi("Safe")
_ENDED: Final = {
    IntentStatus.FINAL: Effect.DONE,
    IntentStatus.SATISFIED_ELSEWHERE: Effect.DONE,
    IntentStatus.CANCELLED: Effect.MOOT,
}
"""How an intent may end in these tests, and what the chain must show then."""


@dataclass(frozen=True)
class Mark:
    """Where the story began: a block, and how many transactions each wallet had made."""

    block: int
    nonces: dict[Address, int]


async def mark(house: House, wallets: Sequence[Address]) -> Mark:
    height, *nonces = await house.rpc.batch([("eth_blockNumber", []), *(_count(each, "latest") for each in wallets)])
    return Mark(int(height, 16), {each: int(nonce, 16) for each, nonce in zip(wallets, nonces, strict=True)})


async def assert_truth(house: House, since: Mark, *, elsewhere: frozenset[Hash32] = frozenset()) -> None:
    """`elsewhere`: transactions that were made with our keys by somebody else."""
    async with house.database.read() as session:
        attempts = list(await session.scalars(select(AttemptRow)))
        intents = list(await session.scalars(select(IntentRow)))
        wallets = {Address(each.address): each for each in await session.scalars(select(WalletRow))}
    assert intents, "nothing was ever queued"
    assert not await open_wishes(house)
    mined = await _mined(house, since)
    for address, began in since.nonces.items():
        latest, pending = [
            int(each, 16) for each in await house.rpc.batch([_count(address, "latest"), _count(address, "pending")])
        ]
        if latest != pending:
            pool = await house.rpc.call("txpool_content", [])
            raise AssertionError(f"{checksum(address)} has mined {latest} and {pending - latest} more in the pool: {pool}")
        ours = [each for each in attempts if each.wallet == address]
        strange = {each for each, receipt in mined.items() if receipt["from"] == address} - {each.hash for each in ours}
        assert strange == {each for each in elsewhere if each in mined and mined[each]["from"] == address}
        if ours:
            counter, trouble = wallets[address].next_nonce, wallets[address].trouble
            before = min(each.nonce for each in ours) - began  # adopted when this system first looked, without alarm
            after = latest - counter  # noticed when the wallet sends next
            assert 0 <= after <= len(strange), f"the counter is {counter}, the chain has {latest}"
            assert {each.nonce for each in ours} <= set(range(began, counter))
            assert (trouble is not None) == (len(strange) > before + after), trouble
    for attempt in attempts:
        _assert_attempt(attempt, mined.get(attempt.hash))
    for wallet in wallets.values():
        assert wallet.interrupted_by is None
    happened = await _happened(house, since)
    for intent in intents:
        await _assert_intent(house, intent, [each for each in attempts if each.intent_id == intent.id], happened)


def _assert_attempt(attempt: AttemptRow, receipt: dict[str, Any] | None) -> None:
    if receipt is None:
        assert attempt.status in (AttemptStatus.REPLACED, AttemptStatus.DROPPED), f"{hex0x(attempt.hash)}: {attempt.status}"
        return
    assert attempt.status is AttemptStatus.FINAL, f"{hex0x(attempt.hash)} was mined, the table says {attempt.status}"
    assert attempt.block_hash is not None
    said = (attempt.block_number, hex0x(attempt.block_hash), attempt.succeeded, attempt.gas_used)
    shown = (int(receipt["blockNumber"], 16), receipt["blockHash"], receipt["status"] == "0x1", int(receipt["gasUsed"], 16))
    assert said == shown


async def _assert_intent(
    house: House, intent: IntentRow, attempts: Sequence[AttemptRow], happened: Counter[tuple[str, int]]
) -> None:
    words = f"{intent.idempotency_key}: {intent.status} ({intent.reason})"
    if intent.giving_up is None or intent.status is not intent.giving_up:  # given up, its effect may come by a later try
        assert intent.status in _ENDED, words
        effect, state = await _effect(house, intent, happened)
        assert effect is _ENDED[intent.status], f"{words}, and the request is {state}"
    acted = [each for each in attempts if each.status is AttemptStatus.FINAL and each.succeeded and not each.cancels]
    assert len(acted) == (1 if intent.status is IntentStatus.FINAL else 0), f"{words}, by {len(acted)} transactions of ours"
    times = happened[_event(house, intent)]
    assert (times == 1) if acted else (times <= 1), f"{words}, {times} times"


def _event(house: House, intent: IntentRow) -> tuple[str, int]:
    if intent.kind is not IntentKind.PLAN_STEP:
        return _EVENTS[intent.kind], intent.request_id
    function, _arguments = house.contracts.abis[ContractName.ASSET_CONTROLLER].decode_call(intent.data)
    return _EVENTS_OF_STEPS[MoneyFunction(function)], 0


async def _effect(house: House, intent: IntentRow, happened: Counter[tuple[str, int]]) -> tuple[Effect, str]:
    latest = await get_block(house.rpc, "latest")
    if intent.kind is IntentKind.PLAN_STEP:
        event = _event(house, intent)
        if event[0] != _EVENTS_OF_STEPS[MoneyFunction.REBALANCE_BUFFER]:
            return (Effect.DONE if happened[event] else Effect.DUE), f"logged {happened[event]} times"
        total, target = await read_buffer(house.contracts, at=latest)
        return (Effect.DONE if total >= target else Effect.DUE), f"{total} of {target}"
    try:
        return await effect_of_intent(house.contracts, house.settings.chain.chain_id, intent, at=latest)
    except EffectUnknown as error:
        raise AssertionError(f"{intent.idempotency_key} is about no request: {error}") from error


async def _mined(house: House, since: Mark) -> dict[Hash32, dict[str, Any]]:
    """The receipts of all transactions of the wallets, from the blocks themselves; `from` as an address."""
    head = int(await house.rpc.call("eth_blockNumber", []), 16)
    blocks = await house.rpc.batch([("eth_getBlockReceipts", [hex(each)]) for each in range(since.block + 1, head + 1)])
    receipts = [each | {"from": Address(bytes.fromhex(each["from"][2:]))} for block in blocks for each in block]
    return {Hash32(bytes.fromhex(each["transactionHash"][2:])): each for each in receipts if each["from"] in since.nonces}


async def _happened(house: House, since: Mark) -> Counter[tuple[str, int]]:
    """How often each event of the manager was emitted about each request, of a Safe about each transaction, and of the
    controller at all (about 0)."""
    manager, controller, safe = ContractName.REDEMPTION_MANAGER, ContractName.ASSET_CONTROLLER, house.settings.sending.warm
    counted = Counter((name, 0) for name, _topics in await _logged(house, controller, since))
    speakers = [(house.contracts.address(manager), house.contracts.abis[manager])] + ([(safe, _SAFE)] if safe else [])
    for address, abi in speakers:
        logs = await _logs_of(house, address, abi, since)
        counted.update((name, int(topics[1], 16)) for name, topics in logs if len(topics) > 1)
    return counted


async def _logged(house: House, contract: ContractName, since: Mark) -> list[tuple[str, list[str]]]:
    return await _logs_of(house, house.contracts.address(contract), house.contracts.abis[contract], since)


async def _logs_of(house: House, address: Address, abi: ContractAbi, since: Mark) -> list[tuple[str, list[str]]]:
    asked = {"address": checksum(address), "fromBlock": hex(since.block + 1), "toBlock": "latest"}
    events = {hex0x(each.topic): each.name for each in abi.events_by_topic.values()}
    logs = await house.rpc.call("eth_getLogs", [asked])
    return [(events[each["topics"][0]], each["topics"]) for each in logs if each["topics"][0] in events]


def _count(wallet: Address, tag: str) -> tuple[str, list[Any]]:
    return ("eth_getTransactionCount", [checksum(wallet), tag])
