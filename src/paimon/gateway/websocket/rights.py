"""End the connections of people whose right or session has ended: one look at all of them, every few seconds, for all clients.

An access token lives for minutes, and a request reads its user's role and session anew, and the chain's roles where they count.
An open socket makes no requests.
"""

import asyncio
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy.exc import DBAPIError

from paimon.application.identity.session_store import list_active_ids
from paimon.application.identity.signed_users import list_users
from paimon.application.identity.store import list_chain_roles_of
from paimon.domain.kernel.eip712 import SigningScope
from paimon.gateway.websocket.hub import Hub
from paimon.infrastructure.database.availability import describe_failure
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.observability.outages import Outages

log = structlog.get_logger(__name__)

_TASK: Final = "rights"


async def watch_rights(hub: Hub, database: Database, scope: SigningScope, *, idle: timedelta, every_seconds: float) -> None:
    """Compare the clients with users and sessions until cancelled.

    While the database is away, a token's expiry alone ends them.
    """
    outages = Outages()
    while True:
        await asyncio.sleep(every_seconds)
        if not hub.client_count:
            continue
        sessions = hub.sessions()
        try:
            async with database.read() as session:
                users = await list_users(session, scope)
                held = await list_chain_roles_of(session, hub.people())
                active = await list_active_ids(session, sessions, idle=idle)
        except DBAPIError as error:
            outages.record_failure("database", describe_failure(error), task=_TASK)
        except Exception as error:
            log.error("live.rights_check_failed", exc_info=error)  # the next look may succeed
        else:
            outages.record_success(_TASK)
            # A client that signed in after the look began is judged by the next one.
            hub.end_other_rights({user.address: user for user in users}, held, active, sessions)
