"""`paimon status` shows all that still answers, says first what does not, and tells it by its exit code."""

import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.api_client import add_block
from tests.support.chain.fund import TestFund
from tests.support.cli_processes import CliRunner, environment_of
from tests.support.signing import make_policy

from paimon.composition import AppContext
from paimon.domain.operations.outbox import OutboxPriority
from paimon.infrastructure.cache import workers
from paimon.infrastructure.database.leases import try_acquire
from paimon_devkit.stack.ports import free_port

pytestmark = pytest.mark.integration

URLS = {
    "database": ("PAIMON_DATABASE__URL", "postgresql+psycopg://me:secret@127.0.0.1:{port}/paimon"),
    "redis": ("PAIMON_REDIS__URL", "redis://:secret@127.0.0.1:{port}/0"),
    "node": ("PAIMON_CHAIN__RPC_URL", "http://127.0.0.1:{port}/v1/secret"),
}


@contextmanager
def silent_port() -> Iterator[int]:
    """Give a port that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        yield listening.getsockname()[1]


def screen(output: str) -> tuple[str, dict[str, tuple[str, str]], dict[str, str]]:
    """Split the output: the verdict, each component's status and summary, and the rows below."""
    verdict, components, rows = output.rstrip().split("\n\n")
    return (
        verdict,
        {line[:15].strip(): (line[15:24].strip(), line[25:]) for line in components.splitlines() if not line.startswith(" ")},
        {line[:26].strip(): line[27:] for line in rows.splitlines()},
    )


@pytest.mark.parametrize("is_silent", [False, True], ids=["refused", "silent"])
@pytest.mark.parametrize("away", [("database",), ("redis",), ("node",), ("database", "redis", "node")], ids="-".join)
async def test_status_shows_what_still_answers(
    cli: CliRunner, app_context: AppContext, away: set[str], is_silent: bool
) -> None:
    final = await app_context.chain.final_block(app_context.rpc)
    async with app_context.database.write() as session:
        await add_block(session, final.number, at=final.timestamp)
    await try_acquire(app_context.database, "listener", "host:1", ttl_seconds=300)
    await workers.report_served(app_context.redis, OutboxPriority, by="host:2")
    env = environment_of(app_context.settings) | {
        "PAIMON_CHAIN__ATTEMPTS_MAX": "2",
        "PAIMON_HEALTH__CHECK_TIMEOUT_SECONDS": "3",
    }
    with ExitStack() as ports:
        for name in away:
            variable, url = URLS[name]
            env[variable] = url.format(port=ports.enter_context(silent_port()) if is_silent else free_port())
        process = cli.start("status", env=env)
        assert process.wait() == 1, process.output_text
    verdict, components, rows = screen(process.output_text)
    assert verdict.startswith("DOWN: " if "database" in away else "DEGRADED: ")
    for name, (variable, _) in URLS.items():
        assert (name in verdict) == (name in away)
        assert components[name][0] == ("DOWN" if name in away else "OK"), components[name]
        assert (f"({variable})" in process.output_text) == (name in away)
    assert ("recorded" in rows) == ("official NAV" in rows) == ("database" not in away)
    assert ("head / final" in rows) == ("node" not in away)
    assert (rows["endpoints"] == "unknown while Redis does not answer") == ("redis" in away)
    assert components["worker"][0] == ("DOWN" if "redis" in away else "OK")
    if "database" not in away:
        expected = "its lag is unknown while the node does not answer" if "node" in away else r"\d+ blocks behind the final one"
        assert re.fullmatch(expected, components["listener"][1])
    assert "secret" not in process.output_text
    assert "Traceback" not in process.output_text


async def test_status_names_each_process_that_does_not_run(cli: CliRunner, app_context: AppContext) -> None:
    env = environment_of(app_context.settings)
    process = cli.start("status", env=env)
    assert process.wait() == 1
    verdict, components, _ = screen(process.output_text)
    needing = "endpoints, worker, listener, scheduler, auditor, signer"
    assert verdict == f"DEGRADED: 6 of {len(components)} components need attention: {needing}"
    assert components["worker"] == ("DOWN", "no worker is running, or none reaches Redis")
    for name in ("listener", "scheduler", "auditor"):
        assert components[name] == ("DOWN", f"no {name} holds the lease: none is running, or it lost the database")
    assert components["signer"] == ("DEGRADED", "unknown: no worker has asked it yet")
    await workers.report_served(app_context.redis, [OutboxPriority.CRITICAL, OutboxPriority.CHAIN], by="host:2")
    partly = cli.start("status", "--json", env=env)
    assert partly.wait() == 1
    document = json.loads(partly.output_text)
    assert (document["status"], list(document["errors"])) == ("DEGRADED", [])
    (worker,) = [component for component in document["components"] if component["name"] == "worker"]
    assert (worker["status"], worker["summary"]) == ("DOWN", "no worker serves high, normal, reports")
    assert worker["details"] == {"queues": {"critical": "host:2", "chain": "host:2"}}


async def test_status_is_ok_when_every_process_runs(
    cli: CliRunner, app_context: AppContext, fund: TestFund, tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    env = environment_of(app_context.settings) | {
        "PAIMON_QUEUE__WORKER_CONCURRENCY": "1",
        "PAIMON_SCHEDULE__CHECK_SIGNER_SECONDS": "1",
    }
    policy = make_policy(fund, tmp_path)
    cli.start("signer", "--policy", str(policy), "--new-ledger", env=env).wait_for_output("signer.started")
    for command in ("listener", "worker", "scheduler", "auditor"):
        cli.start(command, env=env)

    async def status() -> str:
        process = cli.start("status", env=env)
        return process.output_text if process.wait() == 0 else ""

    verdict, components, _ = screen(await eventually(status, seconds_max=60))
    assert verdict == "OK: every component works"
    assert {status for status, _ in components.values()} == {"OK"}
    assert components["worker"][1] == "running, every queue is served"
