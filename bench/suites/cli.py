"""CPU time of short commands, each in a process of its own, its imports included: the least of some runs.

`cli.help_cpu_ms`: `paimon --help`. `cli.status_cpu_ms`: `paimon status` while every service refuses the connection, so that
the figure holds this program's own work. The baseline is Python that does nothing.
"""

import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

from bench.figures import Figure

_RUNS: Final = 5
_ADDRESS: Final = "0x" + "11" * 20
_SETTINGS: Final = {
    "PAIMON_DATABASE__URL": "postgresql+psycopg://bench@127.0.0.1:9/bench",
    "PAIMON_REDIS__URL": "redis://127.0.0.1:9/0",
    "PAIMON_REDIS__INTEGRITY_KEY": "a key of its own, of 32 bytes or more",
    "PAIMON_CHAIN__CHAIN_ID": "31337",
    "PAIMON_CHAIN__RPC_URL": "http://127.0.0.1:9",
    "PAIMON_CHAIN__ATTEMPTS_MAX": "1",
    "PAIMON_FUND__VAULT": _ADDRESS,
    "PAIMON_FUND__REDEMPTION_MANAGER": _ADDRESS,
    "PAIMON_FUND__ASSET_CONTROLLER": _ADDRESS,
    "PAIMON_FUND__START_BLOCK": "1",
    "PAIMON_SENDING__KEEPER": _ADDRESS,
    "PAIMON_SENDING__APPROVER": "0x" + "22" * 20,
    "PAIMON_SIGNER__SOCKET": "/nonexistent/signer.sock",
    "PAIMON_AUTH__TOKEN_SECRET": "a secret for measurements only, 32+",
    "PAIMON_AUTH__PERSONAL_DATA_SECRET": "a secret for measurements only, 32+",
    "PAIMON_AUTH__DOMAIN": "localhost",
    "PAIMON_AUTH__URI": "http://localhost",
}


async def measure() -> list[Figure]:
    """Measure the help text and the status."""
    nothing = _cpu_ms(["-c", "pass"], exit_code=0)
    return [
        Figure("cli.help_cpu_ms", _cpu_ms(["-m", "paimon", "--help"], exit_code=0), "ms", nothing, "< 500"),
        Figure("cli.status_cpu_ms", _cpu_ms(["-m", "paimon", "status"], exit_code=1), "ms", nothing, "< 1 500"),
    ]


def _cpu_ms(arguments: Sequence[str], *, exit_code: int) -> float:
    """Return the least CPU time of a process with these arguments, which ends with this exit code."""
    return min(_run(arguments, exit_code) for _ in range(_RUNS))


def _run(arguments: Sequence[str], exit_code: int) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = subprocess.run([sys.executable, *arguments], env=os.environ | _SETTINGS, capture_output=True, check=False)
    assert result.returncode == exit_code, result.stderr.decode()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return round((after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1_000, 1)
