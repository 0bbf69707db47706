"""What can go wrong while the demo's servers start and run. Every message says what to do next."""

from paimon.errors import StartupError


class DemoError(StartupError):
    """Base of everything the embedded services and the supervisor raise on purpose."""


class PortInUse(DemoError):
    """A wished port is taken by another process."""

    def __init__(self, port: int) -> None:
        super().__init__(
            f"port {port} on 127.0.0.1 is already in use: stop the program that listens there, or choose another port"
            " (the API's with --port or PAIMON_API__PORT)"
        )
        self.port = port


class ServerUnavailable(DemoError):
    """The program of an embedded server is missing, too old or not for this platform."""


class DataFolderUnusable(DemoError):
    """The data folder cannot hold a server's files: wrong owner, wrong version, or damaged."""


class InconsistentDataFolder(DataFolderUnusable):
    """What the data folder holds does not belong together."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"{what}: start over with `paimon demo --fresh` (`make demo FRESH=1`)")


class DemoNotRunning(DemoError):
    """Nobody runs the demo that was asked for."""


class DataFolderLocked(DemoError):
    """Another supervisor works on this data folder."""

    def __init__(self, folder: str, holder: str) -> None:
        super().__init__(
            f"the data folder {folder} is in use by process {holder}: stop that one first, or name another folder"
            " with --data or PAIMON_DEMO_DATA"
        )
        self.holder = holder


class ChildFailed(DemoError):
    """A supervised process did not come up, or died too often."""
