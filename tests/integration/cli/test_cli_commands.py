"""Which commands `paimon` has, and what it imports for them; the line that explains a wrong command line."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from tests.support.cli_processes import CliRunner

from paimon.gateway.cli.command_table import COMMANDS, all_commands
from paimon_devkit.stack.accounts import INVESTORS

pytestmark = pytest.mark.integration

WITHOUT_DEVKIT = """
import sys
from importlib import import_module
from pkgutil import walk_packages

sys.modules["paimon_devkit"] = None  # as if the package were not installed
import paimon

for module in walk_packages(paimon.__path__, "paimon."):
    if not module.name.startswith("paimon.infrastructure.database.migrations") and module.name != "paimon.__main__":
        import_module(module.name)
from paimon.gateway.cli.command_table import all_commands

print(*(command.name for command in all_commands()))
"""

IMPORTED = """
import json, sys
from pathlib import Path
from paimon.gateway.cli.main import run
try:
    run()
finally:
    packages = [str(folder) for folder in map(Path, sys.path) if folder.name == "site-packages"]
    files = {name: getattr(module, "__file__", None) or "" for name, module in sys.modules.items()}
    third_party = {name.partition(".")[0] for name, file in files.items() if file.startswith(tuple(packages))}
    ours = {name for name in files if name.startswith("paimon")}
    Path(REPORT).write_text(json.dumps({"third_party": sorted(third_party - {"_distutils_hack"}), "ours": sorted(ours)}))
"""

FAST_PACKAGES = {"annotated_doc", "attr", "greenlet", "markdown_it", "mdurl", "py_ecc", "pygments", "rich", "shellingham"}
FAST_PACKAGES |= {"structlog", "typer"}
FAST_PACKAGES |= {"shellingham", "typer"}
"""What help, version and completion need. Any other package would cost every call of `paimon` more than all of these."""

PYDANTIC = {"annotated_types", "dotenv", "pydantic", "pydantic_core", "typing_extensions", "typing_inspection"}
"""What Typer reads the value of an option with."""

FAST_MODULES = {
    "paimon",
    "paimon.gateway",
    "paimon.gateway.cli",
    "paimon.gateway.cli.command_app",
    "paimon.gateway.cli.command_table",
    "paimon.gateway.cli.main",
    "paimon.gateway.cli.usage_errors",
    "paimon.infrastructure",
    "paimon.infrastructure.observability",
    "paimon.infrastructure.observability.logging",
    "paimon_devkit",
    "paimon_devkit.commands",
}


def imported_by(report: Path, *arguments: str, environment: dict[str, str] | None = None) -> dict[str, set[str]]:
    """Run `paimon` in a process of its own; return the packages and the modules of ours that it imported."""
    program = IMPORTED.replace("REPORT", repr(str(report)))
    subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=os.environ | (environment or {}),
        capture_output=True,
        timeout=120,
        check=False,
    )
    return {name: set(modules) for name, modules in json.loads(report.read_text()).items()}


def command_modules() -> set[str]:
    return {command.module for command in all_commands()}


@pytest.mark.parametrize(
    ("arguments", "environment", "packages"),
    [
        (["--help"], {}, FAST_PACKAGES),
        ([], {}, FAST_PACKAGES),
        (["--version"], {}, FAST_PACKAGES),
        (["no-such-command"], {}, FAST_PACKAGES | PYDANTIC),
        ([], {"_PAIMON_COMPLETE": "complete_bash", "COMP_WORDS": "paimon st", "COMP_CWORD": "1"}, FAST_PACKAGES | PYDANTIC),
    ],
    ids=["help", "nothing", "version", "unknown", "completion"],
)
def test_paimon_imports_no_command_for_help_version_and_completion(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], packages: set[str]
) -> None:
    imported = imported_by(tmp_path / "imported", *arguments, environment=environment)
    assert imported["third_party"] <= packages
    assert imported["ours"] <= FAST_MODULES


def test_version_is_that_of_the_installed_package(cli: CliRunner) -> None:
    process = cli.start("--version", env={})
    assert (process.wait(), process.output_text) == (0, f"paimon {version('paimon')}\n")


def test_a_command_imports_no_other_command(tmp_path: Path) -> None:
    imported = imported_by(tmp_path / "imported", "users", "--help")
    assert imported["ours"] & command_modules() == {"paimon.gateway.cli.users"}


def test_status_imports_no_web_framework_queue_or_signing_library(tmp_path: Path) -> None:
    imported = imported_by(tmp_path / "imported", "status", "--help")
    assert "paimon.gateway.cli.status" in imported["ours"]
    assert not imported["third_party"] & {"alembic", "celery", "eth_account", "fastapi", "starlette", "uvicorn", "web3"}


def test_product_imports_without_devkit_and_then_lacks_its_commands() -> None:
    result = subprocess.run([sys.executable, "-c", WITHOUT_DEVKIT], capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == [command.name for command in COMMANDS]


@pytest.mark.parametrize(
    ("line", "message", "command"),
    [
        ("demo request ines abc", "SHARES: 'abc' is not a whole number of at least 1", "paimon demo request"),
        ("demo request ines -5", "SHARES: '-5' is not a whole number of at least 1", "paimon demo request"),
        ("demo request ines 1.5", "SHARES: '1.5' is not a whole number of at least 1", "paimon demo request"),
        ("audit-chain -5 10", "FROM: '-5' is not a whole number of at least 1", "paimon audit-chain"),
        ("audit-chain 5", "Missing argument 'TO'", "paimon audit-chain"),
        ("demo --port 70000", "--port: '70000' is not a whole number from 1 to 65535", "paimon demo"),
        ("recover --to x", "--to: 'x' is not a whole number", "paimon recover"),
        ("reconcile --assign x admin", "--assign: 'x' is not a whole number", "paimon reconcile"),
        ("tx show 12", "ID: '12' is not an id, 32 hexadecimal digits in five groups", "paimon tx show"),
        ("tx show -12", "ID: '-12' is not an id, 32 hexadecimal digits in five groups", "paimon tx show"),
        ("demo warp -1d", "DURATION: '-1d' is not a duration such as 90s, 30m, 6h or 8d", "paimon demo warp"),
        ("demo warp 1x", "DURATION: '1x' is not a duration such as 90s, 30m, 6h or 8d", "paimon demo warp"),
        ("demo warp 4000d", "DURATION: 4000d is too far: chain time moves by at most 3650d at once", "paimon demo warp"),
        ("demo emergency maybe", "MODE: 'maybe' is not one of 'on', 'off'", "paimon demo emergency"),
        ("demo request ida 5", f"NAME: 'ida' is not an investor; there are {', '.join(INVESTORS)}", "paimon demo request"),
        ("status --jsno", "No such option: --jsno (Possible options: --json)", "paimon status"),
        ("statsu", "No such command 'statsu'. Did you mean 'status'?", "paimon"),
        ("recover --to", "Option '--to' requires an argument", ""),
        ("users list more", "Got unexpected extra argument(s) (more)", "paimon users list"),
    ],
)
def test_wrong_command_line_is_one_line_that_names_the_option(cli: CliRunner, line: str, message: str, command: str) -> None:
    process = cli.start(*line.split(), env={})
    assert process.wait() == 2
    assert process.output_text.splitlines() == [f"paimon: {message}" + (f" (see `{command} --help`)" if command else "")]


def complete(words: str) -> list[str]:
    environment = {"_PAIMON_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    program = [sys.executable, "-m", "paimon"]
    return subprocess.run(
        program, env=os.environ | environment, capture_output=True, text=True, timeout=60, check=True
    ).stdout.split()


@pytest.mark.parametrize(
    ("words", "completions"),
    [
        ("paimon rec", ["reconcile", "recover"]),
        ("paimon demo re", ["request", "reject"]),
        ("paimon users add 0x ad", ["admin"]),
        ("paimon tx plan sub", ["submit"]),
        ("paimon recover --end", ["--endpoint"]),
    ],
)
def test_completion_knows_commands_options_and_values(words: str, completions: list[str]) -> None:
    assert complete(words) == completions
