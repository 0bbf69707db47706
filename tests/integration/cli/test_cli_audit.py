"""`paimon auditor` and `paimon audit` as commands: seal, list, export, and verify without the database."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.api_client import seed_users
from tests.support.chain.fund import TestFund
from tests.support.cli_processes import CliRunner, environment_of

from paimon.composition import AppContext

pytestmark = pytest.mark.integration


async def test_trail_is_sealed_exported_and_verified_by_an_outsider(
    cli: CliRunner, app_context: AppContext, fund: TestFund, tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    """The commands of docs/concepts/audit.md, as it gives them."""
    env = environment_of(app_context.settings)
    cli.start("auditor", env=env).wait_for_output("auditor.started")
    await seed_users(app_context.database, fund)

    def listed() -> list[dict[str, Any]]:
        process = cli.start("audit", "list", "--json", "--limit", "1000", env=env)
        assert process.wait() == 0, process.output_text
        items: list[dict[str, Any]] = json.loads(process.output_text)["items"]
        return items

    async def all_sealed() -> bool:
        return all(item["position"] is not None for item in listed())

    await eventually(all_sealed)
    entries = listed()
    ines = cli.start("audit", "list", "--operation", "user.granted", env=env)
    assert ines.wait() == 0
    assert "user/0x" in ines.output_text

    shown = cli.start("audit", "show", str(entries[0]["id"]), env=env)
    assert shown.wait() == 0
    assert json.loads(shown.output_text)["inclusion"]["tree"]["size"] == len(entries)

    file = tmp_path / "trail.jsonl.gz"
    export = cli.start("audit", "export", str(file), env=env)
    assert export.wait() == 0, export.output_text
    root = next(line.removeprefix("root: ") for line in export.output_text.splitlines() if line.startswith("root: "))

    verified = cli.start("audit", "verify", str(file), "--trust", f"{len(entries)}:{root}", env={})
    assert verified.wait() == 0, verified.output_text
    assert f"{len(entries)} entries" in verified.output_text
    signed = [item for item in entries if item["operation"] in ("user.granted", "action.signed")]
    assert f"{len(signed)} signatures of wallets checked" in verified.output_text

    lines = gzip.decompress(file.read_bytes()).decode().splitlines()
    at, changed = next((at, line) for at, line in enumerate(lines) if "user.granted" in line)
    lines[at] = changed.replace("user.granted", "user.removed")
    tampered = tmp_path / "tampered.jsonl"
    tampered.write_text("\n".join(lines))
    refused = cli.start("audit", "verify", str(tampered), env={})
    assert refused.wait() == 1
    assert refused.output_text.startswith(f"line {at + 1}, entry {json.loads(changed)['id']}: the entry was changed")

    again = cli.start("audit", "export", str(file), env=env)
    assert again.wait() == 2
    assert "overwrites nothing" in again.output_text
    other = cli.start("audit", "verify", str(file), "--trust", f"{len(entries)}:0x{'00' * 32}", env={})
    assert other.wait() == 1
    assert "not those of the root that you trust" in other.output_text
    misspelt = cli.start("audit", "verify", str(file), "--trust", "5:x", env={})
    assert misspelt.wait() == 2
    assert "is not SIZE:ROOT" in misspelt.output_text
