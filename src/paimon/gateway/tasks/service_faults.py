"""Which service a failed task waits for. A defect has none: its traceback is logged."""

from celery.exceptions import OperationalError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from sqlalchemy.exc import InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from paimon.infrastructure.blockchain.rpc.errors import RpcUnavailable
from paimon.infrastructure.cache.availability import refuses_for_now
from paimon.infrastructure.database.availability import DatabaseUnavailable
from paimon.infrastructure.keys.client import SignerUnavailable
from paimon.infrastructure.storage.objects import StorageUnavailable


def unavailable_service(error: BaseException) -> str | None:
    """Name the service that was away, or None if the error says nothing of the kind."""
    match error:
        case DatabaseUnavailable() | InterfaceError() | PoolTimeout():
            return "database"
        case RedisConnectionError() | RedisTimeoutError():
            return "redis"
        case RpcUnavailable():
            return "node"
        case SignerUnavailable():
            return "signer"
        case StorageUnavailable():
            return "storage"
        case OperationalError():
            return "broker"
    return "redis" if refuses_for_now(error) else None


def first_line(error: BaseException) -> str:
    """Describe the error by its type and first line: drivers append the statement and its values."""
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
