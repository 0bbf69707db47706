"""Run the `paimon` program as `python -m paimon`."""

from paimon.gateway.cli.main import run

run()
