"""Which commands `paimon` has: the product's own, and those of installed packages, by entry point."""

import subprocess
import sys
from importlib.metadata import entry_points, version

import pytest
import typer

from paimon.gateway.cli.main import COMMANDS, EXTRA_COMMANDS, command_loaders

pytestmark = pytest.mark.integration

DEVKIT_COMMANDS = {"demo", "smoke", "market"}

WITHOUT_DEVKIT = """
import sys
from importlib import import_module
from pkgutil import walk_packages

sys.modules["paimon_devkit"] = None  # as if the package were not installed
import paimon

for module in walk_packages(paimon.__path__, "paimon."):
    if not module.name.startswith("paimon.infrastructure.database.migrations") and module.name != "paimon.__main__":
        import_module(module.name)
from paimon.gateway.cli.main import command_loaders

print(*command_loaders())
"""


def test_devkit_adds_its_commands_by_entry_point() -> None:
    assert {entry.name for entry in entry_points(group=EXTRA_COMMANDS)} == DEVKIT_COMMANDS
    loaders = command_loaders()
    assert list(loaders)[: len(COMMANDS)] == list(COMMANDS), "the product's commands come first"
    assert set(loaders) == {*COMMANDS, *DEVKIT_COMMANDS}


@pytest.mark.parametrize("name", [*COMMANDS, *sorted(DEVKIT_COMMANDS)])
def test_command_loads_and_has_a_help_text(name: str) -> None:
    command = command_loaders()[name]()
    assert isinstance(command, typer.Typer)
    group = typer.main.get_group(command) if command.registered_groups else typer.main.get_command(command)
    assert group.help or group.get_short_help_str(), name


def test_product_imports_without_devkit_and_then_lacks_its_commands() -> None:
    result = subprocess.run([sys.executable, "-c", WITHOUT_DEVKIT], capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == list(COMMANDS)


def test_version_is_that_of_the_package_and_imports_no_command() -> None:
    program = "import sys; from paimon.gateway.cli.main import run; sys.argv = ['paimon', '--version']\ntry: run()\nfinally: "
    program += "print(*sorted(name for name in sys.modules if name.startswith('paimon.gateway.cli.')))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.splitlines() == [f"paimon {version('paimon')}", "paimon.gateway.cli.main"]
