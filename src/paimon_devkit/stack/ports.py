"""Choose ports on 127.0.0.1 for servers that are about to start."""

import random
import socket

from paimon_devkit.stack.errors import DemoError, PortInUse

__all__ = ["HOST", "PortInUse", "free_port", "is_free", "require_free", "reserve_port"]

HOST = "127.0.0.1"

# Below Linux' range for outgoing connections (32768 and up): a client's connection must not take the port of a server
# between its crash and its restart.
_FIRST, _LAST = 20_000, 32_000
_ATTEMPTS_MAX = 200
# The system's generator: two processes that seed Python's alike would choose the same ports.
_random = random.SystemRandom()


def is_free(port: int) -> bool:
    """Return whether a server could listen on `port` (1-65535) of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections of a predecessor that linger in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def require_free(port: int) -> int:
    """Return `port` if it is free. Raises PortInUse."""
    if not is_free(port):
        raise PortInUse(port)
    return port


def reserve_port(port: int) -> socket.socket | None:
    """Reserve a port among demos until the returned socket is closed; None when another demo holds it.

    The reservation is a datagram socket of the same number. It is in the way of no server, and it ends with the process.
    """
    reservation = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        reservation.bind((HOST, port))
    except OSError:
        reservation.close()
        return None
    return reservation


def free_port() -> int:
    """Return a free port. It is not reserved: start the server soon."""
    for _ in range(_ATTEMPTS_MAX):
        port = _random.randint(_FIRST, _LAST)
        if is_free(port):
            return port
    raise DemoError(f"no free port between {_FIRST} and {_LAST} on 127.0.0.1 after {_ATTEMPTS_MAX} tries")
