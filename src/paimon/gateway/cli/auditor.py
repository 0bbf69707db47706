"""`paimon auditor`: seal the audit trail, under a lease."""

from functools import partial

import structlog
import typer

from paimon.application.audit.seal import TreeDiffers, seal_all
from paimon.composition import open_database
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.process import exit_on_error, run_until_signalled, settings_for
from paimon.gateway.cli.resources import explain_unreachable
from paimon.infrastructure.database import version
from paimon.infrastructure.database.leadership import run_as_leader
from paimon.infrastructure.database.leases import HeldLease
from paimon.infrastructure.database.rights.check import require_rights
from paimon.infrastructure.database.rights.roles import DatabaseRole
from paimon.infrastructure.database.sessions import Database
from paimon.settings import Settings

log = structlog.get_logger(__name__)

app = CommandApp()

_LEASE = "auditor"


@app.command()
def auditor(context: typer.Context) -> None:
    """Seal the entries of the audit trail into its tree.

    Of several auditors one works and the others stand by. One that finds the tree changed ends with an error.
    """
    with exit_on_error():
        run_until_signalled(_run_auditor(settings_for(context, "auditor")))


async def _run_auditor(settings: Settings) -> None:
    database = open_database(settings, process="auditor")
    try:
        with explain_unreachable():
            await version.require_current(database.engine)
            await require_rights(database.engine, DatabaseRole.AUDITOR)
        log.info("auditor.started")
        await run_as_leader(
            database,
            _LEASE,
            partial(_seal, database, settings),
            ttl_seconds=settings.lease.ttl_seconds,
            renew_seconds=settings.lease.renew_seconds,
        )
    finally:
        await database.close()


async def _seal(database: Database, settings: Settings, lease: HeldLease) -> None:
    try:
        await seal_all(database, lease, settings.audit)
    except TreeDiffers as differs:
        log.critical("audit.tree_differs", reason=str(differs))
        raise
