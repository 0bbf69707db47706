"""The runner of the CLI's processes gives every child's exit code, however many end at the same moment."""

import pytest
from tests.support.cli_processes import CliRunner

pytestmark = pytest.mark.integration


def test_children_that_end_together_each_leave_their_exit_code() -> None:
    with CliRunner() as cli:
        children = [cli.start("--version" if number % 2 else "no-such-command", env={}) for number in range(60)]
        assert [child.wait() for child in children] == [0 if number % 2 else 2 for number in range(60)]
