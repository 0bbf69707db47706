"""The commands that this package adds to `paimon`."""

from typing import Final

from paimon.gateway.cli.command_table import CommandEntry

COMMANDS: Final = (
    CommandEntry(
        "demo",
        "Run the whole system on this machine, and act on it with the demo's accounts.",
        "paimon_devkit.stack.demo_command",
    ),
    CommandEntry(
        "smoke", "Take five redemptions from request to settlement on a new demo.", "paimon_devkit.stack.smoke_command"
    ),
    CommandEntry(
        "market",
        "Run a simulated market on the demo's chain: investors, prices, a portfolio manager, an admin.",
        "paimon_devkit.market.command",
    ),
)
