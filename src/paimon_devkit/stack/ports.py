"""Ports on 127.0.0.1 for servers that are about to start."""

import random
import socket

from paimon_devkit.stack.errors import DemoError, PortInUse

__all__ = ["HOST", "PortInUse", "free_port", "is_free", "require_free", "reserve_port"]

HOST = "127.0.0.1"

# Below Linux' range for outgoing connections (32768 and up): otherwise a client's connection
# may take the port of a server in the moment between its death and its restart.
_FIRST, _LAST = 20_000, 32_000
_ATTEMPTS_MAX = 200
# The system's: whoever seeds Python's own generator alike in two processes would draw the same ports in both.
_drawn = random.SystemRandom()


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` (1-65535) of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections of a predecessor that linger in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def require_free(port: int) -> int:
    """Return `port`, or raise PortInUse."""
    if not is_free(port):
        raise PortInUse(port)
    return port


def reserve_port(port: int) -> socket.socket | None:
    """Speak for a port between choosing it and listening there: None when another demo has, else until it is closed.

    A datagram socket of the same number: nobody but another claim is in its way, and it ends with the process.
    """
    claimed = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        claimed.bind((HOST, port))
    except OSError:
        claimed.close()
        return None
    return claimed


def free_port() -> int:
    """A port nobody listens on. It is not reserved: start the server soon."""
    for _ in range(_ATTEMPTS_MAX):
        port = _drawn.randint(_FIRST, _LAST)
        if is_free(port):
            return port
    raise DemoError(f"no free port between {_FIRST} and {_LAST} on 127.0.0.1 after {_ATTEMPTS_MAX} tries")
