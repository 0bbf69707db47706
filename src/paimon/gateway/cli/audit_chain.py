"""`paimon audit-chain`: compare recorded blocks with the chain's receipts, which also gives them the stronger proof."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from pydantic import SecretStr
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar

from paimon.application.event_listener.fetch.block_range import InconsistentResponse
from paimon.application.replay.chain_audit import AuditResult, ProgressCallback, audit_chain
from paimon.composition import open_rpc, open_single_endpoint_rpc
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.process import exit_on_error, exit_with_message
from paimon.gateway.cli.resources import opened_database
from paimon.gateway.cli.text import pluralize
from paimon.infrastructure.blockchain.finality import require_chain
from paimon.infrastructure.blockchain.proof.receipts import ReceiptsNotServed
from paimon.settings import Settings, load_settings

app = CommandApp()

First = Annotated[int, typer.Argument(metavar="FROM", min=1, help="The first block.")]
Last = Annotated[int, typer.Argument(metavar="TO", min=1, help="The last block, included.")]
Endpoint = Annotated[
    str | None,
    typer.Option(
        envvar="PAIMON_AUDIT_ENDPOINT",
        show_envvar=True,
        help="URL of the node to ask, best one that does not serve the listener. Use the variable if the URL holds a key.",
    ),
]


@app.command("audit-chain")
def audit_chain_command(context: typer.Context, first: First, last: Last, endpoint: Endpoint = None) -> None:
    """Compare recorded blocks with the chain's receipts.

    Exit with 1 when a log is missing, added or different. The listener goes on meanwhile. The audit changes no recorded log.
    It raises the proof of blocks without a difference.
    """
    if first > last:
        exit_with_message(f"the range is reversed: block {first} is after block {last}; give the earlier one first")
    with exit_on_error(node_setting=_url_setting(endpoint)):
        result = asyncio.run(_audit(load_settings(context.obj), first, last, endpoint))
    for discrepancy in result.discrepancies:
        print(discrepancy)
    print(f"{pluralize(result.blocks, 'block')} audited, the receipts of {result.blocks_with_receipts} of them read")
    print(f"discrepancies: {len(result.discrepancies)}")
    if result.discrepancies:
        raise typer.Exit(1)


async def _audit(settings: Settings, first: int, last: int, endpoint: str | None) -> AuditResult:
    chain = settings.chain
    rpc = open_rpc(chain) if endpoint is None else open_single_endpoint_rpc(_url(endpoint), chain)
    async with opened_database(settings, process="audit-chain") as database, rpc:
        await require_chain(rpc, chain.chain_id, urls_setting=_url_setting(endpoint))
        try:
            with _progress_bar() as progress:
                return await audit_chain(database, rpc, first, last, progress=progress)
        except (InconsistentResponse, ReceiptsNotServed) as error:
            exit_with_message(
                f"the audit stopped before the last block; it changed nothing but the proof of the audited blocks: {error}"
            )


def _url_setting(endpoint: str | None) -> str:
    """Return where the node's URL came from."""
    return "PAIMON_CHAIN__RPC_URL" if endpoint is None else "--endpoint"


def _url(endpoint: str) -> SecretStr:
    if not endpoint.startswith(("https://", "http://")):
        exit_with_message("--endpoint must be a URL that starts with https:// or http://")
    return SecretStr(endpoint)


@contextmanager
def _progress_bar() -> Iterator[ProgressCallback]:
    """Show a bar with the time left on stderr, so that stdout holds only the result."""
    columns = (TextColumn("auditing blocks"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with ProgressBar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("audit", total=None)

        def report(blocks_done: int, blocks_total: int) -> None:
            bar.update(task, completed=blocks_done, total=blocks_total)

        yield report
