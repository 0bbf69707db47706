"""The smoke test on the real stack, while its processes are killed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.fault

LONG = os.environ.get("PAIMON_LONG_FAULTS") == "1"
KILLS = 120 if LONG else 21
SEED = int(os.environ.get("PAIMON_FAULT_SEED", "7"))


@pytest.mark.timeout(3600 if LONG else 600)
@pytest.mark.long(100)
def test_smoke_passes_while_listener_worker_and_signer_are_killed(data_folder: Path) -> None:
    """The smoke test itself checks that every effect happened once and that the recorded state equals the chain."""
    command = [sys.executable, "-m", "paimon", "smoke", "--kills", str(KILLS), "--seed", str(SEED)]
    result = subprocess.run([*command, "--data", str(data_folder / "smoke")], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-4_000:] + result.stderr[-2_000:]
    assert "discrepancies: 0" in result.stdout
    (killed,) = re.findall(r"killed (\d+) times with seed", result.stdout)
    assert int(killed) >= KILLS
    for process in ("listener", "worker", "signer"):
        assert len(re.findall(f"SIGKILL {process}", result.stdout)) >= KILLS // 3
