"""The console in a real Chromium, over a stack of its own whose fund has 10 000 redemptions.

`ui.overview.usable_ms`: from a reload to the first figures of the overview. `ui.redemptions.usable_ms`: the same for the list.
`ui.redemptions.page_ms`: from a click on *Next* to the next page of the list. `ui.redemptions.frame_ms`: the time between two
frames meanwhile, and while the page scrolls; 95 of 100 are shorter. `ui.first_screen_kb`: its script, compressed.
"""

import asyncio
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

import psycopg
from tests.support.browser import PROGRAMS, install_browser

from bench.figures import Figure
from paimon_devkit.stack.app_processes import libpq_url
from paimon_devkit.stack.demo_stack import DemoStack
from paimon_devkit.stack.fund_deployment import ARTIFACTS
from paimon_devkit.stack.scenario import ChainActions
from paimon_devkit.stack.supervisor import Supervisor

_REDEMPTIONS: Final = 10_000
_TARGETS: Final = {
    "overview.usable_ms": "< 1 000",
    "redemptions.usable_ms": "< 1 000",
    "redemptions.page_ms": "< 300",
    "redemptions.frame_ms": "< 34",
    "first_screen_kb": "≤ 300",
}
_COPY: Final = """
    INSERT INTO derived.redemption_requests
        (request_id, owner, receiver, shares, gross_amount, estimated_fee, channel, requires_approval, window_id, status,
         requested_at, settlement_at, settled_fee, settled_net_amount, closed_at, updated_block)
    SELECT 1000 + number, owner, receiver, shares, gross_amount + number, estimated_fee, channel, false, window_id, 'SETTLED',
           requested_at - number * interval '1 minute', settlement_at, 0, gross_amount + number, requested_at, updated_block
    FROM derived.redemption_requests, generate_series(1, %s) AS number
    WHERE request_id = 1
"""


async def measure() -> list[Figure]:
    """Start a stack, fill it, and measure in the browser."""
    return await asyncio.to_thread(_measure)


def _measure() -> list[Figure]:
    install_browser()
    with tempfile.TemporaryDirectory(prefix="paimon-ui-") as folder:
        stack = DemoStack(Path(folder), print_line=lambda _line: None, fast=True, environment={})
        with Supervisor(Path(folder)) as supervisor:
            stack.start(supervisor)
            _add_redemptions(stack)
            return _figures(_run_browser(stack.api_url))


def _add_redemptions(stack: DemoStack) -> None:
    """Have one request recorded, and copy it."""
    assert stack.fund is not None
    ChainActions(stack.chain_rpc.url, ARTIFACTS, stack.fund, stack.accounts).request("ines", 1_000)
    assert stack.settings.database.owner_url is not None
    with psycopg.connect(libpq_url(stack.settings.database.owner_url.get_secret_value()), autocommit=True) as connection:
        while connection.execute(_COPY, (_REDEMPTIONS,)).rowcount == 0:
            connection.execute("SELECT pg_sleep(0.2)")  # not recorded yet
        connection.execute("ANALYZE derived.redemption_requests")


def _run_browser(url: str) -> dict[str, float]:
    command = ["node", str(PROGRAMS / "measure.mjs"), url]
    result: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return result


def _figures(measured: dict[str, float]) -> list[Figure]:
    return [
        Figure(f"ui.{name}", round(value, 1), "kB" if name.endswith("kb") else "ms", target=_TARGETS[name])
        for name, value in measured.items()
    ]
