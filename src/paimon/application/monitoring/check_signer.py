"""Check the signer and record what was found, as the process that drives sending.

Only this process may ask the signer (its policy names no other caller). Everyone else reads the record.
"""

from paimon.application.monitoring.store import SignerCheck, find_signer_check, record_signer_check
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.keys.client import SignerClient, SignerUnavailable, SigningRefused


async def check_signer(database: Database, signer: SignerClient) -> None:
    """Ask the signer for its keys and record the answer, or why there is none; its last known keys stay."""
    failure, keys = None, None
    try:
        keys = list((await signer.health())["keys"])
    except (SignerUnavailable, SigningRefused) as error:
        failure = str(error)
    except (KeyError, TypeError, ValueError) as error:
        failure = f"its answer names no keys: {error!r}"
    async with database.write() as session:
        if keys is None:
            earlier = await find_signer_check(session)
            keys = [] if earlier is None else earlier.keys
        await record_signer_check(session, SignerCheck(await database_now(session), failure, keys))
