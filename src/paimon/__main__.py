"""`python -m paimon`."""

from paimon.gateway.cli.main import run

run()
