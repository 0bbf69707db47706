"""The reference of the command line has every command and option, as the code has them."""

from pathlib import Path

import pytest

from paimon.gateway.cli.command_table import all_commands
from paimon.gateway.cli.reference import cli_reference

pytestmark = pytest.mark.unit

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "cli.md"


def test_reference_page_is_as_the_code_has_it() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == cli_reference(), "run `make reference`"
    assert [line.removeprefix("## ") for line in page.splitlines() if line.startswith("## ")] == [
        command.name for command in all_commands()
    ]
