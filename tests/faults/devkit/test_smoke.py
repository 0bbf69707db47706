"""The main job on the real stack, while its processes are killed."""

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
def test_the_walk_survives_kills_of_listener_worker_and_signer(data_folder: Path) -> None:
    """Every effect exactly once and books equal to the chain, whatever was killed when: the walk itself checks both."""
    command = [sys.executable, "-m", "paimon", "walk", "--kills", str(KILLS), "--seed", str(SEED)]
    done = subprocess.run([*command, "--data", str(data_folder / "walk")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-2_000:]
    assert "differences: 0" in done.stdout
    (killed,) = re.findall(r"killed (\d+) times with seed", done.stdout)
    assert int(killed) >= KILLS
    for victim in ("listener", "worker", "signer"):
        assert len(re.findall(f"SIGKILL {victim}", done.stdout)) >= KILLS // 3
