"""Nested JSON is an error and never the end of a process: a library would raise Python's recursion limit a hundredfold."""

import subprocess
import sys
from typing import Final

import pytest

pytestmark = pytest.mark.fault

_PROGRAM: Final = """
import contextlib, json, sys
from paimon.gateway.cli.main import run
sys.argv = ["paimon", "--version"]
with contextlib.suppress(SystemExit):
    run()
import eth_account, web3, paimon.gateway.signer.process, paimon.gateway.rest.app
for opening in ("[", '{"a":'):
    try:
        json.loads(opening * 400_000)
    except RecursionError:
        print("an error")
"""


def test_nested_json_is_an_error_in_every_process() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ended by {done.returncode}"
    assert done.stdout.count("an error") == 2
