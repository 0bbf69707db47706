"""End the connections of people whose right has ended: one look at all users, every few seconds, for all clients.

An access token lives for minutes, and a request reads its user's role anew. An open socket makes no requests.
"""

import asyncio
from typing import Final

import structlog
from sqlalchemy.exc import DBAPIError

from paimon.application.identity.signed_users import list_users
from paimon.domain.kernel.eip712 import SigningScope
from paimon.gateway.websocket.hub import Hub
from paimon.infrastructure.database.availability import describe_failure
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.observability.outages import Outages

log = structlog.get_logger(__name__)

_TASK: Final = "rights"


async def watch_rights(hub: Hub, database: Database, scope: SigningScope, *, every_seconds: float) -> None:
    """Compare the clients with the users until cancelled. While the database is away, a token's expiry alone ends them."""
    outages = Outages()
    while True:
        await asyncio.sleep(every_seconds)
        if not hub.client_count:
            continue
        try:
            async with database.read() as session:
                users = await list_users(session, scope)
        except DBAPIError as error:
            outages.record_failure("database", describe_failure(error), task=_TASK)
        except Exception as error:
            log.error("live.rights_check_failed", exc_info=error)  # the next look may succeed
        else:
            outages.record_success(_TASK)
            hub.end_other_rights({user.address: user for user in users})
