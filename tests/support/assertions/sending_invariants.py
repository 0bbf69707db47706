"""Assert that the tables of sending agree with the chain, when nothing is in progress.

- Each effect happened once: one event of its kind for each subject, caused by at most one transaction of ours.
- No nonce is missing and none is pending: the counter equals the chain's count, the pool holds nothing, and every transaction
  of a wallet on chain is a stored attempt, except those that a test made elsewhere.
- The rows are true: an attempt is final exactly if it was mined, where and how the receipt shows; every intent ended as the
  state of its subject on chain demands; no wallet has a last error, and no operator action is left.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select
from tests.support.scenarios.workflows import has_open_actions

from paimon.application.transactions.effect import EffectUnknown, read_effect
from paimon.composition import AppContext
from paimon.domain.kernel.chain import Address, ContractName, Hash32, checksum, hex0x
from paimon.domain.transaction.attempt import Attempt
from paimon.domain.transaction.intent import Intent
from paimon.domain.transaction.intent_subject import IntentSubject
from paimon.domain.transaction.lifecycle import AttemptStatus, EffectStatus, IntentKind, IntentStatus
from paimon.domain.transaction.wallet_selection import RebalancerFunction
from paimon.infrastructure.blockchain.abi.contract_abi import ContractAbi, load_abi
from paimon.infrastructure.blockchain.contracts.money_calls import read_buffer
from paimon.infrastructure.blockchain.finality import get_block
from paimon.infrastructure.database.models.ops.transaction import AttemptRow, IntentRow, WalletRow
from paimon.infrastructure.database.rows.transaction import attempt_of, intent_of

_EVENTS: Final = {
    IntentKind.APPROVE_REDEMPTION: "RedemptionApproved",
    IntentKind.REJECT_REDEMPTION: "RedemptionRejected",
    IntentKind.SETTLE_REDEMPTION: "RedemptionSettled",
    IntentKind.EXECUTE_SAFE: "ExecutionSuccess",
}
_EVENTS_OF_STEPS: Final = {
    RebalancerFunction.PURCHASE: "AssetPurchased",
    RebalancerFunction.REBALANCE_BUFFER: "BufferPoolRebalanced",
}
"""Events of plan calls, which name no subject: a test's plan has at most one call of each kind."""
_SAFE: Final = load_abi("Safe")
_EXPECTED_EFFECT: Final = {
    IntentStatus.FINAL: EffectStatus.DONE,
    IntentStatus.SATISFIED_EXTERNALLY: EffectStatus.DONE,
    IntentStatus.CANCELLED: EffectStatus.IMPOSSIBLE,
}
"""The ends of intents in these tests, and the effect that the chain must show."""


@dataclass(frozen=True)
class Baseline:
    """The start of the scenario: a block, and the nonce of each wallet."""

    block: int
    nonces: dict[Address, int]


async def take_baseline(app_context: AppContext, wallets: Sequence[Address]) -> Baseline:
    height, *nonces = await app_context.rpc.batch([("eth_blockNumber", []), *(_count(wallet, "latest") for wallet in wallets)])
    return Baseline(int(height, 16), {wallet: int(nonce, 16) for wallet, nonce in zip(wallets, nonces, strict=True)})


async def assert_sending_invariants(
    app_context: AppContext, since: Baseline, *, external_hashes: frozenset[Hash32] = frozenset()
) -> None:
    """Assert every invariant. `external_hashes` are transactions that someone else made with our keys."""
    async with app_context.database.read() as session:
        attempts = [attempt_of(row) for row in await session.scalars(select(AttemptRow))]
        intents = [intent_of(row) for row in await session.scalars(select(IntentRow))]
        wallets = {Address(row.address): row for row in await session.scalars(select(WalletRow))}
    assert intents, "nothing was ever queued"
    assert not await has_open_actions(app_context)
    mined = await _mined(app_context, since)
    for address, began in since.nonces.items():
        latest, pending = [
            int(count, 16) for count in await app_context.rpc.batch([_count(address, "latest"), _count(address, "pending")])
        ]
        if latest != pending:
            pool = await app_context.rpc.call("txpool_content", [])
            raise AssertionError(f"{checksum(address)} has mined {latest} and {pending - latest} more in the pool: {pool}")
        ours = [attempt for attempt in attempts if attempt.wallet == address]
        of_wallet = {hash_ for hash_, receipt in mined.items() if receipt["from"] == address}
        unknown = of_wallet - {attempt.hash for attempt in ours}
        assert unknown == {hash_ for hash_ in external_hashes if hash_ in mined and mined[hash_]["from"] == address}
        if ours:
            counter, fault = wallets[address].next_nonce, wallets[address].fault
            before = min(attempt.nonce for attempt in ours) - began  # adopted when this system first looked, without alarm
            after = latest - counter  # noticed when the wallet sends next
            assert 0 <= after <= len(unknown), f"the counter is {counter}, the chain has {latest}"
            assert {attempt.nonce for attempt in ours} <= set(range(began, counter))
            assert (fault is not None) == (len(unknown) > before + after), fault
    for attempt in attempts:
        _assert_attempt(attempt, mined.get(attempt.hash))
    for wallet in wallets.values():
        assert wallet.last_error is None
    event_counts = await _count_events(app_context, since)
    for intent in intents:
        await _assert_intent(
            app_context, intent, [attempt for attempt in attempts if attempt.intent_id == intent.id], event_counts
        )


def _assert_attempt(attempt: Attempt, receipt: dict[str, Any] | None) -> None:
    if receipt is None:
        assert attempt.status in (AttemptStatus.REPLACED, AttemptStatus.DROPPED), f"{hex0x(attempt.hash)}: {attempt.status}"
        return
    assert attempt.status is AttemptStatus.FINAL, f"{hex0x(attempt.hash)} was mined, the table says {attempt.status}"
    assert attempt.block_hash is not None
    said = (attempt.block_number, hex0x(attempt.block_hash), attempt.succeeded, attempt.gas_used)
    shown = (int(receipt["blockNumber"], 16), receipt["blockHash"], receipt["status"] == "0x1", int(receipt["gasUsed"], 16))
    assert said == shown


async def _assert_intent(
    app_context: AppContext, intent: Intent, attempts: Sequence[Attempt], event_counts: Counter[tuple[str, int]]
) -> None:
    summary = f"{intent.idempotency_key}: {intent.status} ({intent.reason})"
    if (
        intent.aborting_as is None or intent.status is not intent.aborting_as
    ):  # after an abort the effect may come by a later intent
        assert intent.status in _EXPECTED_EFFECT, summary
        effect, state = await _effect(app_context, intent, event_counts)
        assert effect is _EXPECTED_EFFECT[intent.status], f"{summary}, and the request is {state}"
    acted = [
        attempt
        for attempt in attempts
        if attempt.status is AttemptStatus.FINAL and attempt.succeeded and not attempt.is_cancellation
    ]
    assert len(acted) == (1 if intent.status is IntentStatus.FINAL else 0), f"{summary}, by {len(acted)} transactions of ours"
    times = event_counts[_event(app_context, intent)]
    assert (times == 1) if acted else (times <= 1), f"{summary}, {times} times"


def _event(app_context: AppContext, intent: Intent) -> tuple[str, int]:
    if intent.kind is not IntentKind.PLAN_STEP:
        return _EVENTS[intent.kind], _topic_of(intent.subject)
    function, _arguments = app_context.contracts.abis[ContractName.ASSET_CONTROLLER].decode_call(intent.call.data)
    return _EVENTS_OF_STEPS[RebalancerFunction(function)], 0


def _topic_of(subject: IntentSubject) -> int:
    """Return the indexed argument by which the event names the subject."""
    safe_tx_hash, request_id = subject.safe_tx_hash, subject.request_id
    if safe_tx_hash is not None:
        return int.from_bytes(safe_tx_hash)
    assert request_id is not None
    return request_id


async def _effect(app_context: AppContext, intent: Intent, event_counts: Counter[tuple[str, int]]) -> tuple[EffectStatus, str]:
    latest = await get_block(app_context.rpc, "latest")
    if intent.kind is IntentKind.PLAN_STEP:
        event = _event(app_context, intent)
        if event[0] != _EVENTS_OF_STEPS[RebalancerFunction.REBALANCE_BUFFER]:
            return (EffectStatus.DONE if event_counts[event] else EffectStatus.DUE), f"logged {event_counts[event]} times"
        total, target = await read_buffer(app_context.contracts, at=latest)
        return (EffectStatus.DONE if total >= target else EffectStatus.DUE), f"{total} of {target}"
    try:
        return await read_effect(app_context.contracts, app_context.settings.chain.chain_id, intent, at=latest)
    except EffectUnknown as error:
        raise AssertionError(f"{intent.idempotency_key} is about no request: {error}") from error


async def _mined(app_context: AppContext, since: Baseline) -> dict[Hash32, dict[str, Any]]:
    """Read the receipts of all transactions of the wallets from the blocks; `from` is an address."""
    head = int(await app_context.rpc.call("eth_blockNumber", []), 16)
    blocks = await app_context.rpc.batch(
        [("eth_getBlockReceipts", [hex(number)]) for number in range(since.block + 1, head + 1)]
    )
    receipts = [receipt | {"from": Address(bytes.fromhex(receipt["from"][2:]))} for block in blocks for receipt in block]
    return {
        Hash32(bytes.fromhex(receipt["transactionHash"][2:])): receipt
        for receipt in receipts
        if receipt["from"] in since.nonces
    }


async def _count_events(app_context: AppContext, since: Baseline) -> Counter[tuple[str, int]]:
    """Count the events: of the manager by request, of a Safe by transaction, and of the controller (under 0)."""
    manager, controller, safe = (
        ContractName.REDEMPTION_MANAGER,
        ContractName.ASSET_CONTROLLER,
        app_context.settings.sending.warm,
    )
    counted = Counter((name, 0) for name, _topics in await _logged(app_context, controller, since))
    emitters = [(app_context.contracts.address(manager), app_context.contracts.abis[manager])] + (
        [(safe, _SAFE)] if safe else []
    )
    for address, abi in emitters:
        logs = await _logs_of(app_context, address, abi, since)
        counted.update((name, int(topics[1], 16)) for name, topics in logs if len(topics) > 1)
    return counted


async def _logged(app_context: AppContext, contract: ContractName, since: Baseline) -> list[tuple[str, list[str]]]:
    return await _logs_of(app_context, app_context.contracts.address(contract), app_context.contracts.abis[contract], since)


async def _logs_of(app_context: AppContext, address: Address, abi: ContractAbi, since: Baseline) -> list[tuple[str, list[str]]]:
    query = {"address": checksum(address), "fromBlock": hex(since.block + 1), "toBlock": "latest"}
    events = {hex0x(event.topic): event.name for event in abi.events_by_topic.values()}
    logs = await app_context.rpc.call("eth_getLogs", [query])
    return [(events[entry["topics"][0]], entry["topics"]) for entry in logs if entry["topics"][0] in events]


def _count(wallet: Address, tag: str) -> tuple[str, list[Any]]:
    return ("eth_getTransactionCount", [checksum(wallet), tag])
