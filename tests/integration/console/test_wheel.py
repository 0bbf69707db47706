"""The wheel carries the built console, so that an installed API serves it without Node."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tests.support.paths import ROOT

from paimon.gateway.rest.console.files import ConsoleFiles

pytestmark = pytest.mark.integration


def test_wheel_carries_the_built_console(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    files = ConsoleFiles.read(tmp_path / "installed" / "paimon" / "gateway" / "rest" / "console" / "built")
    assert files.built
    scripts = [file for file in files.by_name.values() if file.name.endswith(".js")]
    assert len(scripts) > 10
    assert all(set(file.compressed) == {"br", "gzip"} for file in scripts)
