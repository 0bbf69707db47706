"""What a command opens for one run: the application context, the database alone, or the owner of the tables."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from paimon.composition import AppContext, DatabaseUnreachable, open_app_context, open_database, require_ready
from paimon.gateway.cli.process import exit_with_message
from paimon.infrastructure.database import version
from paimon.infrastructure.database.rights.check import require_rights
from paimon.infrastructure.database.rights.roles import DatabaseRole
from paimon.infrastructure.database.sessions import Database, create_engine
from paimon.settings import Settings


async def check_ready(settings: Settings, *, process: str) -> None:
    """Check every service with a context that is closed again.

    For processes whose server opens their own context later, where an error could not become a message.
    """
    async with open_app_context(settings, process=process) as app_context:
        await require_ready(app_context)


@asynccontextmanager
async def opened_database(settings: Settings, *, process: str) -> AsyncIterator[Database]:
    """Open the database as the role of a person's commands, and require this version's migrations and rights.

    Raises:
        DatabaseUnreachable, also for a failure inside the block; RightsMissing; and the errors of `version.require_current`.
    """
    database = open_database(settings, process=process)
    try:
        with explain_unreachable():
            await version.require_current(database.engine)
            await require_rights(database.engine, DatabaseRole.of_process(process))
            yield database
    finally:
        await database.close()


@asynccontextmanager
async def opened_owner_engine(settings: Settings, *, process: str) -> AsyncIterator[AsyncEngine]:
    """Open one session as the owner of the tables, for a command that rewrites them."""
    options = settings.database
    if options.owner_url is None:
        exit_with_message(
            f"PAIMON_DATABASE__OWNER_URL is not set: `paimon {process}` rewrites tables, as their owner and over a session of"
            " its own"
        )
    engine = create_engine(
        options.owner_url.get_secret_value(),
        pool_size=1,
        connect_timeout_seconds=options.connect_timeout_seconds,
        application_name=f"paimon-{process}",
    )
    try:
        await version.require_current(engine)
        yield engine
    except OperationalError as error:
        exit_with_message(f"PostgreSQL does not answer (PAIMON_DATABASE__OWNER_URL): {str(error).splitlines()[0]}")
    finally:
        await engine.dispose()


@asynccontextmanager
async def opened_app_context(settings: Settings, *, process: str) -> AsyncIterator[AppContext]:
    """Open the application context for a command that also asks the chain, and require this version's migrations and rights.

    Raises:
        DatabaseUnreachable, also for a failure inside the block; RightsMissing; and the errors of `version.require_current`.
    """
    async with open_app_context(settings, process=process) as app_context:
        with explain_unreachable():
            await version.require_current(app_context.database.engine)
            await require_rights(app_context.database.engine, DatabaseRole.of_process(process))
            yield app_context


@contextmanager
def explain_unreachable() -> Iterator[None]:
    """Raise DatabaseUnreachable for a server that does not answer."""
    try:
        yield
    except OperationalError as error:
        raise DatabaseUnreachable(f"PostgreSQL does not answer (PAIMON_DATABASE__URL): {str(error).splitlines()[0]}") from error
