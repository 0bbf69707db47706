"""What a command opens for a moment: the house to see that all of it answers, or the database alone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.exc import OperationalError

from paimon.composition import DatabaseUnreachable, open_database, open_house, require_ready
from paimon.infrastructure.database.sessions import Database
from paimon.settings import Settings


async def check_ready(settings: Settings, *, process: str) -> None:
    """`require_ready` on a house of its own, for processes whose server opens theirs later, out of reach of a message."""
    async with open_house(settings, process=process) as house:
        await require_ready(house)


@asynccontextmanager
async def opened_database(settings: Settings, *, process: str) -> AsyncIterator[Database]:
    """The database as the application's role, for one command. Raises DatabaseUnreachable from inside the block."""
    database = open_database(settings, process=process)
    try:
        yield database
    except OperationalError as error:
        raise DatabaseUnreachable(f"PostgreSQL does not answer (PAIMON_DATABASE__URL): {str(error).splitlines()[0]}") from error
    finally:
        await database.close()
