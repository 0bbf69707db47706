"""`paimon policy` as commands: those of docs/concepts/policy.md, as it gives them."""

import re
import shlex
from pathlib import Path

import pytest
from tests.support.cli_processes import CliRunner, environment_at_a_terminal
from tests.support.paths import DOCS

from paimon.composition import AppContext

pytestmark = pytest.mark.integration

ANSWERS = {
    "show": "emergency_redemption",
    "check": "no gap, no conflict",
    "dry-run REBALANCE": "rebalance_small",
    "dry-run CALL": "manual_operation",
}
"""What the commands of the page say, by how they begin."""


def commands() -> list[str]:
    page = (DOCS / "concepts" / "policy.md").read_text()
    (block,) = re.findall(r"## Change it\n\n```shell\n(.*?)```", page, flags=re.DOTALL)
    return [line.removeprefix("paimon policy ") for line in block.splitlines()]


def test_commands_of_the_page_run_in_their_order(cli: CliRunner, app_context: AppContext, tmp_path: Path) -> None:
    env, file = environment_at_a_terminal(app_context.settings), tmp_path / "policy.json"
    for command in commands():
        words, _, into = command.partition(" > ")
        process = cli.start("policy", *shlex.split(words.replace(file.name, str(file))), env=env)
        assert process.wait() == 0, (command, process.output_text)
        if into:
            (tmp_path / into).write_text(process.output_text)
        expected = next(answer for beginning, answer in ANSWERS.items() if command.startswith(beginning))
        assert expected in process.output_text, (command, process.output_text)
