"""The commands of `paimon`: a name, what it does, and the module that is imported only when it is called.

`paimon --help` and completion need the first two only. A signer that starts again must not wait for the API to load, and a
person who asks for help must not wait for anything.
"""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typer import Typer


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """A command. Its module has a Typer `app`, whose help text begins with the summary."""

    name: str
    summary: str
    module: str

    def load(self) -> "Typer":
        """Import the command's module and return its `app`."""
        with _collector_skips_imports():
            app: Typer = import_module(self.module).app
        return app


COMMANDS: Final = (
    CommandEntry("api", "Serve the REST API, the WebSocket and the API documentation.", "paimon.gateway.cli.api"),
    CommandEntry("listener", "Follow the chain and record its logs.", "paimon.gateway.cli.listener"),
    CommandEntry(
        "worker", "Relay the outbox, handle its messages, run the jobs and drive the wallets.", "paimon.gateway.cli.worker"
    ),
    CommandEntry(
        "auditor",
        "Seal the entries of the audit trail into its tree, and store the root of each day in the object storage.",
        "paimon.gateway.cli.auditor",
    ),
    CommandEntry("scheduler", "Enqueue jobs by the clock.", "paimon.gateway.cli.scheduler"),
    CommandEntry("planner", "Make the fund's own plans, and sign them with the planner's key.", "paimon.gateway.cli.planner"),
    CommandEntry(
        "signer", "Hold the signing keys. Sign only what the policy and the votes allow.", "paimon.gateway.cli.signer"
    ),
    CommandEntry(
        "config", "Check the settings, alone or against the signer's policy and the services.", "paimon.gateway.cli.config"
    ),
    CommandEntry("db", "Migrate the database, give the roles their rights, and check both.", "paimon.gateway.cli.database"),
    CommandEntry(
        "users",
        "Name the first super_admin, change users by signed grants, and erase personal data.",
        "paimon.gateway.cli.users",
    ),
    CommandEntry(
        "signers",
        "Show who can sign now: the owners of each Safe, and each group of voters of the approval policy.",
        "paimon.gateway.cli.signers",
    ),
    CommandEntry("assets", "List the profiles of assets, show the history of one, and set one.", "paimon.gateway.cli.assets"),
    CommandEntry("stand-ins", "List the stand-ins, name one for a time, and end one.", "paimon.gateway.cli.stand_ins"),
    CommandEntry("api-keys", "List the API keys of a person, and revoke one.", "paimon.gateway.cli.api_keys"),
    CommandEntry("sessions", "List the sessions of a person, and end one or all of them.", "paimon.gateway.cli.sessions"),
    CommandEntry(
        "status",
        "Show what works and what does not: services, processes, queues, wallets, NAV.",
        "paimon.gateway.cli.status",
    ),
    CommandEntry(
        "contracts", "Show what the fund's contracts are, and what they can and cannot do.", "paimon.gateway.cli.contracts"
    ),
    CommandEntry(
        "clear-signing",
        "Write a descriptor (ERC-7730) of each document that people sign, for wallets that show documents in words.",
        "paimon.gateway.cli.clear_signing",
    ),
    CommandEntry("redemptions", "List redemption requests, latest first.", "paimon.gateway.cli.redemptions"),
    CommandEntry("approvals", "List approval tickets, latest first.", "paimon.gateway.cli.approvals"),
    CommandEntry(
        "policy",
        "Show the approval policy, check a file, try an operation, publish a draft.",
        "paimon.gateway.cli.policy",
    ),
    CommandEntry("holders", "List holders with their shares and value, largest first.", "paimon.gateway.cli.holders"),
    CommandEntry(
        "transactions", "List the chain's transactions that touched the fund, latest first.", "paimon.gateway.cli.transactions"
    ),
    CommandEntry("risk-events", "List risk events, latest first.", "paimon.gateway.cli.risk_events"),
    CommandEntry("risk", "Show the fund's risk, and try thresholds on what is recorded.", "paimon.gateway.cli.risk"),
    CommandEntry(
        "emergency",
        "Show the emergency protocol, submit or decline its steps, stand it down, and drill it.",
        "paimon.gateway.cli.emergency",
    ),
    CommandEntry(
        "rebalance",
        "Preview, list, replay and reverse decisions, and try a policy on simulated years.",
        "paimon.gateway.cli.rebalance",
    ),
    CommandEntry("forecast", "Show the last forecast of the fund's liquidity.", "paimon.gateway.cli.forecast"),
    CommandEntry(
        "stress", "Run stress scenarios on the fund, and show how concentrated its investors are.", "paimon.gateway.cli.stress"
    ),
    CommandEntry("notify", "List notifications with their receipts, and try a channel.", "paimon.gateway.cli.notify"),
    CommandEntry("prices", "Show the assets' prices, their sources, and whether each is trusted.", "paimon.gateway.cli.prices"),
    CommandEntry("tx", "Show wallets and intents; speed up, cancel or retry an intent; submit plans.", "paimon.gateway.cli.tx"),
    CommandEntry("outbox", "Show the outbox; list and replay dead-lettered messages.", "paimon.gateway.cli.outbox"),
    CommandEntry("quarantine", "Show logs that could not be applied; release or skip one.", "paimon.gateway.cli.quarantine"),
    CommandEntry(
        "reconcile", "Compare the recorded state with the chain at the last recorded block.", "paimon.gateway.cli.reconcile"
    ),
    CommandEntry(
        "replay", "Rebuild the derived tables from the recorded logs and swap in what differs.", "paimon.gateway.cli.replay"
    ),
    CommandEntry(
        "audit",
        "List the audit trail, show an entry with its proof, export the trail, verify an export.",
        "paimon.gateway.cli.audit",
    ),
    CommandEntry("audit-chain", "Compare recorded blocks with the chain's receipts.", "paimon.gateway.cli.audit_chain"),
    CommandEntry(
        "recover",
        "Compare the recorded blocks with two nodes; with --to, go back to their common ancestor.",
        "paimon.gateway.cli.recover",
    ),
    CommandEntry("snapshot", "Read the fund at the last recorded block and keep the snapshot.", "paimon.gateway.cli.snapshot"),
    CommandEntry("nav", "List official NAV and explain its changes.", "paimon.gateway.cli.nav"),
    CommandEntry(
        "report", "Make reports, list them, save and verify their files, explain their figures.", "paimon.gateway.cli.report"
    ),
)
"""Every command of the product, in the order of the help text."""

EXTRA_COMMANDS: Final = "paimon.commands"
"""The entry point group of other packages' tables; `paimon_devkit` adds `demo`, `smoke` and `market`."""


def all_commands() -> list[CommandEntry]:
    """Return the product's commands, then those of installed packages. No package replaces a command of the product."""
    taken = {command.name for command in COMMANDS}
    extra = [command for table in _extra_tables() for command in table if command.name not in taken]
    return [*COMMANDS, *extra]


def _extra_tables() -> Iterator[Sequence[CommandEntry]]:
    for entry in entry_points(group=EXTRA_COMMANDS):
        if _is_installed(entry):
            yield entry.load()


def _is_installed(entry: EntryPoint) -> bool:
    """Return whether the entry point's package is there; the product may be installed without `paimon_devkit`."""
    return find_spec(entry.module.partition(".")[0]) is not None


@contextmanager
def _collector_skips_imports() -> Iterator[None]:
    """Keep the garbage collector from the modules imported here, now and at exit.

    Modules stay until the process ends. Searching them for garbage takes as long as importing them: 0.7 s of the listener's
    CPU time.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
