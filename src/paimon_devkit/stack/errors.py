"""Errors of the demo's servers. Every message says what to do next."""

from paimon.errors import StartupError


class DemoError(StartupError):
    """An embedded server or the supervisor cannot start or go on; the message says what to do."""


class PortInUse(DemoError):
    """Another process uses the requested port."""

    def __init__(self, port: int) -> None:
        super().__init__(
            f"port {port} on 127.0.0.1 is already in use: stop the program that listens there, or choose another port"
            " (the API's with --port or PAIMON_API__PORT)"
        )
        self.port = port


class ServerUnavailable(DemoError):
    """The program of an embedded server is missing, too old or built for another platform."""


class DataFolderUnusable(DemoError):
    """The data folder cannot hold a server's files: wrong owner, wrong version, or damaged."""


class InconsistentDataFolder(DataFolderUnusable):
    """The parts of the data folder do not belong together."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"{what}: start over with `paimon demo --fresh` (`make demo FRESH=1`)")


class DemoNotRunning(DemoError):
    """No demo runs over this data folder."""


class DataFolderLocked(DemoError):
    """Another supervisor works on this data folder."""

    def __init__(self, folder: str, holder: str) -> None:
        super().__init__(
            f"the data folder {folder} is in use by process {holder}: stop that one first, or name another folder"
            " with --data or PAIMON_DEMO_DATA"
        )
        self.holder = holder


class ChildFailed(DemoError):
    """A supervised process did not start, or crashed too often."""
