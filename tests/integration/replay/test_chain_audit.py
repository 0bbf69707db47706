"""`paimon audit-chain`: recorded blocks compared with the receipts again, without changing a table."""

import pytest
from tests.support.assertions.derived_tables import execute, projection_rows
from tests.support.chain.fund import TestFund
from tests.support.chain.recording import record_all
from tests.support.cli_processes import CliRunner, environment_of
from tests.support.faults.byzantine_node import byzantine_node

from paimon.application.event_listener.fetch.block_range import InvalidResponse
from paimon.application.event_listener.fetch.queries import read_proof_summary
from paimon.application.replay.chain_audit import AuditResult, audit_chain
from paimon.composition import AppContext
from paimon.domain.chain.range_proof import ProofLevel, RangeProof
from paimon.infrastructure.blockchain.rpc.pool import Rpc
from paimon.settings import Settings

pytestmark = pytest.mark.integration

SECOND = "ctid = (SELECT ctid FROM derived.{0} ORDER BY ctid OFFSET 1 LIMIT 1)"


@pytest.fixture
async def recorded(app_context: AppContext, fund: TestFund) -> RangeProof:
    """Record a history of the fund; return the proof of its blocks."""
    fund.request("ines", 120_000)
    await record_all(app_context, fund)
    async with app_context.database.write() as session:
        newest = (await read_proof_summary(session, one_endpoint=False)).newest
    assert newest is not None
    return newest


async def audited(app_context: AppContext, proof: RangeProof) -> AuditResult:
    progress: list[tuple[int, int]] = []
    result = await audit_chain(
        app_context.database,
        app_context.rpc,
        proof.first,
        proof.last,
        progress=lambda done, total: progress.append((done, total)),
    )
    assert progress[-1] == (result.blocks, result.blocks)
    return result


async def test_audit_without_differences_raises_the_proof_to_receipts(
    app_context: AppContext, owner_url: str, recorded: RangeProof
) -> None:
    execute(owner_url, "UPDATE derived.range_proofs SET level = 'chained'")
    before = projection_rows(owner_url)
    result = await audited(app_context, recorded)
    assert result.discrepancies == ()
    assert 0 < result.blocks_with_receipts < result.blocks
    assert projection_rows(owner_url) == before
    async with app_context.database.read() as session:
        summary = await read_proof_summary(session, one_endpoint=False)
    assert summary.weakest == RangeProof(recorded.first, recorded.last, ProofLevel.RECEIPTS)


@pytest.mark.parametrize(
    ("change", "description"),
    [
        (f"DELETE FROM derived.raw_logs WHERE {SECOND.format('raw_logs')}", "on the chain, not recorded"),
        (f"UPDATE derived.raw_logs SET log_index = 999 WHERE {SECOND.format('raw_logs')}", "recorded, not on the chain"),
        (f"UPDATE derived.raw_logs SET data = '\\x99' WHERE {SECOND.format('raw_logs')}", "another data"),
        (f"UPDATE derived.raw_logs SET topics = '{{}}' WHERE {SECOND.format('raw_logs')}", "another topics"),
        (
            f"UPDATE derived.raw_logs SET tx_hash = sha256(tx_hash) WHERE {SECOND.format('raw_logs')}",
            "another tx_hash",
        ),
        (
            f"UPDATE derived.blocks SET hash = sha256(hash) WHERE {SECOND.format('blocks')}",
            "on the chain 0x",
        ),
    ],
)
async def test_audit_names_differing_logs_and_keeps_their_proof_level(
    app_context: AppContext, owner_url: str, recorded: RangeProof, change: str, description: str
) -> None:
    execute(owner_url, "UPDATE derived.range_proofs SET level = 'chained'")
    assert execute(owner_url, change) == 1
    result = await audited(app_context, recorded)
    assert any(description in discrepancy for discrepancy in result.discrepancies), result.discrepancies
    async with app_context.database.read() as session:
        summary = await read_proof_summary(session, one_endpoint=False)
    assert summary.weakest is not None
    assert summary.weakest.level is ProofLevel.CHAINED


async def test_audit_fails_on_invalid_receipts(app_context: AppContext, fund: TestFund, recorded: RangeProof) -> None:
    async with byzantine_node(fund.node.http_url) as node:
        node.mutations["eth_getBlockReceipts"] = lambda _params, receipts: receipts[1:]
        async with Rpc(node.url, timeout_seconds=5, attempts_max=1) as rpc:
            with pytest.raises(InvalidResponse):
                await audit_chain(app_context.database, rpc, recorded.first, recorded.last, progress=lambda *_: None)


def test_audit_command_reports_differences_by_exit_code(
    cli: CliRunner, settings: Settings, fund: TestFund, owner_url: str, recorded: RangeProof
) -> None:
    env = environment_of(settings)
    blocks = (str(recorded.first), str(recorded.last))
    clean = cli.start("audit-chain", *blocks, "--endpoint", fund.node.http_url, env=env)
    assert clean.wait() == 0, clean.output_text
    assert "discrepancies: 0" in clean.output_text
    assert execute(owner_url, f"DELETE FROM derived.raw_logs WHERE {SECOND.format('raw_logs')}") == 1
    differing = cli.start("audit-chain", *blocks, env=env)
    assert differing.wait() == 1, differing.output_text
    assert "on the chain, not recorded" in differing.output_text
    assert "discrepancies: 1" in differing.output_text
    for arguments, message in (
        (("1", "999999"), f"blocks {recorded.first} to {recorded.last} are recorded"),
        ((*blocks, "--endpoint", "ftp://node"), "--endpoint must be a URL"),
        ((*blocks, "--endpoint", "http://127.0.0.1:9/s3cr3t"), "(--endpoint)"),
        (("100", "1"), "the range is reversed: block 100 is after block 1"),
    ):
        refused = cli.start("audit-chain", *arguments, env=env | {"PAIMON_CHAIN__ATTEMPTS_MAX": "1"})
        assert refused.wait() == 2, refused.output_text
        assert message in refused.output_text
        assert "s3cr3t" not in refused.output_text
