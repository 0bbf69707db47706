"""What a command opens for a moment: the house to see that all of it answers, or the database alone."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from paimon.composition import AppContext, DatabaseUnreachable, open_app_context, open_database, require_ready
from paimon.gateway.cli.process import exit_with_message
from paimon.infrastructure.database import version
from paimon.infrastructure.database.sessions import Database, create_engine
from paimon.settings import Settings


async def check_ready(settings: Settings, *, process: str) -> None:
    """`require_ready` on a house of its own, for processes whose server opens theirs later, out of reach of a message."""
    async with open_app_context(settings, process=process) as app_context:
        await require_ready(app_context)


@asynccontextmanager
async def opened_database(settings: Settings, *, process: str) -> AsyncIterator[Database]:
    """The database as the application's role, for one command. Raises DatabaseUnreachable from inside the block."""
    database = open_database(settings, process=process)
    try:
        with _explain_unreachable():
            yield database
    finally:
        await database.close()


@asynccontextmanager
async def opened_owner(settings: Settings, *, process: str) -> AsyncIterator[AsyncEngine]:
    """The owner of the tables, over one session of its own, for a command that rewrites them."""
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
    """The app_context, for one command that also asks the chain. Raises DatabaseUnreachable, and what `require_current` does."""
    async with open_app_context(settings, process=process) as app_context:
        with _explain_unreachable():
            await version.require_current(app_context.database.engine)
            yield app_context


@contextmanager
def _explain_unreachable() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        raise DatabaseUnreachable(f"PostgreSQL does not answer (PAIMON_DATABASE__URL): {str(error).splitlines()[0]}") from error
