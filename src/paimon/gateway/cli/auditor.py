"""`paimon auditor`: seal the audit trail and store its day roots, under a lease."""

import asyncio
from functools import partial

import structlog
import typer

from paimon.application.audit.day_roots import keep_day_roots
from paimon.application.audit.seal import TreeDiffers, seal_all
from paimon.composition import open_database, open_objects, signing_rules
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
    """Seal the entries of the audit trail into its tree, and store the root of each day in the object storage.

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
            partial(_keep_trail, database, settings),
            ttl_seconds=settings.lease.ttl_seconds,
            renew_seconds=settings.lease.renew_seconds,
        )
    finally:
        await database.close()


async def _keep_trail(database: Database, settings: Settings, lease: HeldLease) -> None:
    """Seal entries and store day roots beside each other: a storage that does not answer delays no sealing."""
    scope, options = signing_rules(settings).scope, settings.audit
    tasks = (
        asyncio.create_task(seal_all(database, lease, options)),
        asyncio.create_task(keep_day_roots(database, lease, open_objects(settings), scope, options)),
    )
    try:
        await asyncio.gather(*tasks)  # the first that fails ends both
    except TreeDiffers as differs:
        log.critical("audit.tree_differs", reason=str(differs))
        raise
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
