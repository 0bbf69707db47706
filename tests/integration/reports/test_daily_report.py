"""The daily report of a simulated market: every figure equals its recomputation from raw logs, and adjacent days chain."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
from eth_abi.abi import decode
from eth_typing import HexStr
from eth_utils.crypto import keccak
from sqlalchemy import text
from tests.conftest import make_settings
from tests.support.chain.fund import ARTIFACTS, TestFund, start_fund
from tests.support.chain.recording import record_all
from tests.support.database_roles import context_of
from tests.support.paths import CONTRACTS

from paimon.application.nav.publication import publish_nav
from paimon.application.nav.store import store_snapshot
from paimon.application.reconciliation.reconcile import reconcile
from paimon.application.reports.collect import collect_inputs
from paimon.application.reports.statement import collect_statement
from paimon.composition import AppContext, open_app_context
from paimon.domain.kernel.chain import Address, BlockStamp, Hash32
from paimon.domain.report.document import Edition, Report, ReportStatus
from paimon.domain.report.fund_report import fund_report
from paimon.domain.report.period import ReportKind, ReportPeriod
from paimon.domain.report.statement import holder_statement
from paimon.gateway.fund_documents import FundDocuments
from paimon.infrastructure.blockchain.contracts.snapshot import read_snapshot
from paimon.infrastructure.database.rights.roles import DatabaseRole
from paimon.infrastructure.reports.json_file import json_document
from paimon_devkit.market.history import generate_history
from paimon_devkit.stack.embedded_chain import find_anvil

pytestmark = pytest.mark.integration

STEPS: Final = 2_500
_SEEDS: Final = (5, 6)


@pytest.fixture(scope="module", params=_SEEDS)
def market_fund(data_folder: Path, request: pytest.FixtureRequest) -> Iterator[TestFund]:
    fund = start_fund(data_folder / f"reported-{request.param}", anvil=find_anvil(CONTRACTS))
    accounts = fund.accounts.fund_accounts()
    generate_history(fund.rpc_url, fund.deployment, accounts, artifacts=ARTIFACTS, seed=request.param, actions=100, days=20)
    yield fund
    fund.node.stop()


@pytest.fixture
async def market_context(market_fund: TestFund, app_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[AppContext]:
    options = make_settings(market_fund, app_url=app_url, redis_url=redis_url, folder=tmp_path)
    async with open_app_context(options, process="test") as opened:
        yield opened


_BLOCKS = text("""
    SELECT number, hash, timestamp FROM derived.blocks WHERE number IN (SELECT block_number FROM derived.raw_logs)
       AND number >= (SELECT min(block_number) FROM derived.raw_logs WHERE event = 'AssetPurchased') ORDER BY number
""")


async def record_market(context: AppContext, fund: TestFund) -> list[BlockStamp]:
    """Record the history, keep a snapshot of every block with logs, reconcile and publish NAV."""
    await record_all(context, fund)
    async with context.database.read() as session:
        rows = await session.execute(_BLOCKS)
        stamps = [BlockStamp(row.number, Hash32(bytes(row.hash)), row.timestamp.astimezone(UTC)) for row in rows]
    snapshots = [await read_snapshot(context.contracts, at=stamp) for stamp in stamps]
    async with context.database.write() as session:
        for snapshot in snapshots:
            await store_snapshot(session, snapshot, kept=True)
    await reconcile(context.database, context.contracts)
    await publish_nav(context.database, FundDocuments(context.database, context.redis))
    return stamps


async def report_of(context: AppContext, day: date) -> Report:
    period = ReportPeriod.containing(ReportKind.DAILY, day)
    async with context_of(DatabaseRole.WORKER, context) as worker, worker.database.read() as session:
        return fund_report(await collect_inputs(session, period, now=period.end + timedelta(hours=1), steps_max=STEPS))


# ------------------------------------------------------------------------------- recomputation, from undecoded logs alone

TOPICS: Final = {
    name: keccak(text=signature)
    for name, signature in {
        "deposit": "Deposit(address,address,uint256,uint256)",
        "requested": "RedemptionRequested(uint256,address,address,uint256,uint256,uint256,uint8,bool,uint256,uint256)",
        "settled": "RedemptionSettled(uint256,address,address,uint256,uint256,uint256,uint8)",
        "approved": "RedemptionApproved(uint256,address,uint256)",
        "rejected": "RedemptionRejected(uint256,address,string)",
        "cancelled": "RedemptionCancelled(uint256,address)",
    }.items()
}


_LOGS = text("""
    SELECT block_number, topics, data FROM derived.raw_logs
     WHERE topics[1] = ANY(:topics) AND address = ANY(:emitters) AND block_number > :after AND block_number <= :until
     ORDER BY block_number, log_index
""")
_CHANNELS: Final = ("STANDARD", "EMERGENCY", "SCHEDULED")


@dataclass
class Recomputed:
    """Flows of a range of blocks, decoded here from topics and data; amounts in raw units."""

    deposits: list[int]
    requested: dict[int, tuple[str, int]]
    settled: list[tuple[str, int, int, int]]
    returned: list[int]
    due: dict[int, int]


async def recompute(context: AppContext, *, after: int, until: int) -> Recomputed:
    fund = context.settings.fund
    found = Recomputed([], {}, [], [], {})
    values = {
        "topics": list(TOPICS.values()),
        "emitters": [fund.vault, fund.redemption_manager],
        "after": after,
        "until": until,
    }
    async with context.database.read() as session:
        rows = (await session.execute(_LOGS, values)).all()
    names = {topic: name for name, topic in TOPICS.items()}
    for row in rows:
        data, request_id = bytes(row.data), int.from_bytes(bytes(row.topics[1]))
        match names[bytes(row.topics[0])]:
            case "deposit":
                found.deposits.append(decode(["uint256", "uint256"], data)[0])
            case "requested":
                _receiver, _shares, locked, _fee, channel, needs_approval, due, _window = decode(
                    ["address", "uint256", "uint256", "uint256", "uint8", "bool", "uint256", "uint256"], data
                )
                found.requested[request_id] = (_CHANNELS[channel], locked)
                if not needs_approval:
                    found.due[request_id] = due
            case "settled":
                _receiver, gross, fee, net, channel = decode(["address", "uint256", "uint256", "uint256", "uint8"], data)
                found.settled.append((_CHANNELS[channel], gross, fee, net))
                found.due[request_id] = -1
            case "approved":
                found.due[request_id] = decode(["uint256"], data)[0]
            case "cancelled" | "rejected":
                found.returned.append(request_id)
                found.due[request_id] = -1
    return found


def amount(value: int) -> str:
    return f"{Decimal(value).scaleb(-18):.18f}"


async def test_every_day_equals_its_recomputation_from_raw_logs_and_chains(
    market_context: AppContext, market_fund: TestFund
) -> None:
    stamps = await record_market(market_context, market_fund)
    days = sorted({stamp.timestamp.date() for stamp in stamps})[:-1]
    reports = [await report_of(market_context, day) for day in days]
    whole = await recompute(market_context, after=0, until=stamps[-1].number)
    counted = 0
    for report in reports:
        assert report.opening is not None
        assert report.closing is not None
        assert [check.key for check in report.checks if not check.holds] == []
        assert report.status is ReportStatus.FINAL, report.draft_notes
        document = json_document(report, Edition(1))
        happened = await recompute(market_context, after=report.opening.number, until=report.closing.number)
        flows = document["flows"]
        returned = sum(whole.requested[request_id][1] for request_id in happened.returned)
        requested = sum(locked for _channel, locked in happened.requested.values())
        assert flows["deposits"]["count"] == len(happened.deposits)
        assert flows["deposits"]["amount"] == amount(sum(happened.deposits))
        assert flows["redemptions"] == {"count": len(happened.requested), "amount": amount(requested)}
        assert flows["returned"] == {"count": len(happened.returned), "amount": amount(returned)}
        assert flows["settled"] == {
            "count": len(happened.settled),
            "gross": amount(sum(gross for _channel, gross, _fee, _net in happened.settled)),
            "fee": amount(sum(fee for _channel, _gross, fee, _net in happened.settled)),
            "net": amount(sum(net for _channel, _gross, _fee, net in happened.settled)),
        }
        net_flow = sum(happened.deposits) - requested + returned
        assert flows["netFlow"] == (amount(net_flow) if net_flow >= 0 else f"-{amount(-net_flow)}")
        by_channel = {row["channel"]: row for row in flows.get("byChannel", [])}
        for channel in _CHANNELS:
            of_channel = [locked for name, locked in happened.requested.values() if name == channel]
            assert by_channel.get(channel, {}).get("requested", 0) == len(of_channel)
            if of_channel:
                assert by_channel[channel]["requestedAmount"] == amount(sum(of_channel))
        counted += len(happened.deposits) + len(happened.requested) + len(happened.settled)
        require_pinned_reads(market_fund, report, document)
        await require_promises(market_context, report, document)
    for earlier, later in pairwise(reports):
        assert earlier.closing == later.opening
    assert counted > 20
    await require_statements(market_context, market_fund, days[-1])


def require_pinned_reads(fund: TestFund, report: Report, document: dict[str, Any]) -> None:
    """Compare the closing figures with the contracts' own answers at the closing block."""
    assert report.closing is not None
    block = report.closing.number
    with fund.chain() as chain:
        web3 = chain.web3

        def read(contract: str, signature: str, argument: str = "") -> int:
            data = HexStr("0x" + keccak(text=signature)[:4].hex() + argument)
            return int.from_bytes(web3.eth.call({"to": web3.to_checksum_address(contract), "data": data}, block))

        vault = fund.deployment.vault
        cash = read(fund.deployment.usdt, "balanceOf(address)", f"{vault[2:].lower():0>64}")
        liability = read(vault, "totalRedemptionLiability()")
        supply = read(vault, "totalSupply()") - read(vault, "totalLockedShares()")
    assert document["liquidity"]["cash"] == amount(cash)
    assert document["liquidity"]["redemptionLiability"] == amount(liability)
    assert document["summary"]["closingShares"] == amount(supply)
    nav = int(Decimal(document["summary"]["closingAum"]).scaleb(18)) * 10**18 // supply
    assert document["summary"]["closingNav"] == amount(nav)


async def require_promises(context: AppContext, report: Report, document: dict[str, Any]) -> None:
    """Compare what is due within a week with the requests' own logs up to the closing block."""
    assert report.closing is not None
    until = await recompute(context, after=0, until=report.closing.number)
    limit = (report.period.end + timedelta(days=7)).timestamp()
    due = sorted((at, request_id) for request_id, at in until.due.items() if 0 < at < limit)
    rows = document["promises"].get("dueRequests", [])
    assert document["promises"]["due"]["count"] == len(due)
    assert [row["requestId"] for row in rows] == [request_id for _at, request_id in due]


_TRANSFER: Final = keccak(text="Transfer(address,address,uint256)")
_HOLDERS: Final = text("SELECT holder FROM derived.share_balances WHERE holder <> :vault AND holder <> :zero ORDER BY holder")
_ZERO: Final = Address(bytes(20))


async def require_statements(context: AppContext, fund: TestFund, day: date) -> None:
    """Compare every holder's statement of a month with undecoded logs; together they are worth the fund."""
    vault, period = context.settings.fund.vault, ReportPeriod.containing(ReportKind.MONTHLY, day)
    now = period.end + timedelta(days=1)
    async with context.database.read() as session:
        holders = list(await session.scalars(_HOLDERS, {"vault": vault, "zero": _ZERO}))
        inputs = [await collect_statement(session, Address(holder), period, vault=vault, now=now) for holder in holders]
    statements = [holder_statement(each) for each in inputs]
    opening, closing = inputs[0].opening, inputs[0].closing
    assert opening is not None
    assert closing is not None
    worth, kinds = 0, set[str]()
    for holder, statement in zip(holders, statements, strict=True):
        assert [check for check in statement.checks if not check.holds] == []
        assert len(statement.checks) == 3
        document = json_document(statement, Edition(1))
        assert document["holder"].lower() == "0x" + holder.hex()
        moved = await recompute_holder(context, Address(holder), after=opening.at.number, until=closing.at.number)
        value, holding = document["value"], document["holding"]
        assert value["deposits"] == amount(moved.deposits)
        assert (value["paidOut"], value["fees"]) == (amount(moved.paid_out), amount(moved.fees))
        before, after = Decimal(holding["opening"]["shares"]), Decimal(holding["closing"]["shares"])
        assert (after - before).scaleb(18) == moved.wallet
        received, sent = Decimal(value["received"]), Decimal(value["sent"])
        explained = Decimal(value["opening"]) + Decimal(value["deposits"]) + received - sent + Decimal(value["result"])
        assert explained - Decimal(value["paidOut"]) - Decimal(value["fees"]) == Decimal(value["closing"])
        worth += int(Decimal(value["closing"]).scaleb(18))
        kinds |= {row["movement"] for row in document["movements"].get("list", [])}
    fund_worth = closing.snapshot.net_assets + closing.snapshot.redemption_liability
    assert 0 <= fund_worth - worth <= len(holders) * 2 + closing.snapshot.vault.effective_supply // 10**18 + 1
    assert kinds >= {"deposit", "requested", "paid_out"}


@dataclass
class HolderMoves:
    """What one holder's logs say of a range of blocks; `wallet` is the change of the shares in the wallet."""

    deposits: int = 0
    paid_out: int = 0
    fees: int = 0
    wallet: int = 0


async def recompute_holder(context: AppContext, holder: Address, *, after: int, until: int) -> HolderMoves:
    fund, padded = context.settings.fund, holder.rjust(32, b"\0")
    values = {
        "topics": [TOPICS["deposit"], TOPICS["requested"], TOPICS["settled"], _TRANSFER],
        "emitters": [fund.vault, fund.redemption_manager],
        "after": 0,
        "until": until,
    }
    async with context.database.read() as session:
        rows = (await session.execute(_LOGS, values)).all()
    found, own_requests = HolderMoves(), set[int]()
    for row in rows:
        topics, data = [bytes(topic) for topic in row.topics], bytes(row.data)
        counts = row.block_number > after
        if topics[0] == TOPICS["requested"] and topics[2] == padded:
            own_requests.add(int.from_bytes(topics[1]))
        if not counts:
            continue
        if topics[0] == TOPICS["deposit"] and topics[2] == padded:
            found.deposits += decode(["uint256", "uint256"], data)[0]
        elif topics[0] == TOPICS["settled"] and int.from_bytes(topics[1]) in own_requests:
            _receiver, _gross, fee, net, _channel = decode(["address", "uint256", "uint256", "uint256", "uint8"], data)
            found.paid_out, found.fees = found.paid_out + net, found.fees + fee
        elif topics[0] == _TRANSFER:
            (moved,) = decode(["uint256"], data)
            found.wallet += moved * ((topics[2] == padded) - (topics[1] == padded))
    return found
