"""A real PostgreSQL on 127.0.0.1 with its files in a data folder. It resumes after any kind of end.

The roles are `postgres` (superuser, for this module), `paimon_owner` (owns the database `paimon`, runs migrations) and one for
each process, as in production. Their passwords are random and kept beside the data. `paimon_app` exists on request only: it is
a member of every process's role, for tests and measurements that are all processes at once.

Started by root, the server runs as an unprivileged user (unprivileged_user.py). When that user cannot reach the data folder
(a clone below /root), the cluster lives in a folder below /var/tmp named after the data folder. `notice` then says so, and
`location` in the data folder records it. A data folder that was deleted and made again starts with an empty cluster.
"""

import hashlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import psycopg
from psycopg import sql

from paimon.infrastructure.database.rights.roles import DatabaseRole
from paimon_devkit.stack.child import Child, ChildSpec
from paimon_devkit.stack.errors import DataFolderUnusable, DemoError
from paimon_devkit.stack.ports import HOST, free_port, require_free
from paimon_devkit.stack.postgres_leftovers import clear_leftovers, remove_cluster
from paimon_devkit.stack.postgres_programs import Programs, find_programs, reachable_programs
from paimon_devkit.stack.secret_files import load_or_create_passwords, make_private_folder
from paimon_devkit.stack.unprivileged_user import first_inaccessible_folder, unprivileged_user

SUPERUSER = "postgres"
OWNER_ROLE = "paimon_owner"
APP_ROLE = "paimon_app"
ROLE_PREFIX = "paimon_"
DATABASE = "paimon"

_FALLBACK_PARENT = Path("/var/tmp")  # noqa: S108 - _fallback_home refuses a folder of another user
_INITDB_SECONDS_MAX = 120


class EmbeddedPostgres:
    """One cluster and its server. With `durable=False` a power cut may lose data; a killed process loses none."""

    def __init__(
        self,
        data: Path,
        *,
        port: int | None = None,
        bin_dir: Path | None = None,
        durable: bool = True,
        connections_max: int = 200,
        idle_in_transaction_seconds_max: int = 60,
        with_app_role: bool = False,
    ) -> None:
        """Describe a server in the demo's data folder; nothing starts yet. `with_app_role` adds `paimon_app`.

        Raises:
            PortInUse, ServerUnavailable (no supported PostgreSQL), DataFolderUnusable.
        """
        self._data = data
        self.records = data / "postgres"
        """The passwords and the cluster's location; also the cluster itself, if the server's user can reach this folder."""
        self._bin_dir = bin_dir
        self._durable = durable
        self._connections_max = connections_max
        self._idle_in_transaction_seconds_max = idle_in_transaction_seconds_max
        self._user = unprivileged_user()
        self.notice: str | None = None
        """A line for the operator when the cluster is outside the data folder."""
        self._home = self._choose_home()
        self._cluster = self._home / "cluster"
        self._programs: Programs = find_programs(bin_dir, major=self._cluster_major())
        if self._cluster.exists() and not self._password_file.exists():
            raise DataFolderUnusable(f"{self._password_file} is missing, so the data is lost: start over with --fresh")
        self._process_roles = [role.server_name(ROLE_PREFIX) for role in DatabaseRole]
        self._app_roles = [APP_ROLE] if with_app_role else []
        self._passwords = load_or_create_passwords(
            self._password_file, [SUPERUSER, OWNER_ROLE, *self._process_roles, *self._app_roles]
        )
        self.port = free_port() if port is None else require_free(port)
        self._child: Child | None = None

    @property
    def version(self) -> str:
        """The server's version, such as `18.1`."""
        return self._programs.version

    @property
    def exists(self) -> bool:
        """Whether the data folder holds a cluster that the next start resumes."""
        return self._cluster.exists()

    @property
    def pid(self) -> int | None:
        """The pid of a server that `start` began."""
        return self._child.pid if self._child is not None else None

    @property
    def owner_url(self) -> str:
        """The SQLAlchemy URL of the database `paimon` for migrations."""
        return self.url(OWNER_ROLE, DATABASE)

    @property
    def app_url(self) -> str:
        """The SQLAlchemy URL of the database `paimon` as `paimon_app`."""
        return self.url(APP_ROLE, DATABASE)

    def process_url(self, role: DatabaseRole) -> str:
        """Return the SQLAlchemy URL of the database `paimon` as the role of a process."""
        return self.url(role.server_name(ROLE_PREFIX), DATABASE)

    @property
    def admin_dsn(self) -> str:
        """The libpq URL of the superuser, database `postgres`."""
        return self._dsn(SUPERUSER, "postgres", scheme="postgresql")

    def url(self, role: str, database: str) -> str:
        """Return the SQLAlchemy URL (`postgresql+psycopg://…`) of a role and a database."""
        return self._dsn(role, database, scheme="postgresql+psycopg")

    def spec(self) -> ChildSpec:
        """Return the process for a supervisor; `start` uses it too.

        The first start creates the cluster; every start clears what an earlier run left.
        """
        switches = {
            "listen_addresses": HOST,
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": self._connections_max,
            "idle_in_transaction_session_timeout": f"{self._idle_in_transaction_seconds_max}s",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "jit": "off",  # the queries are short: compiling them costs more than it gains
            "max_wal_size": "512MB",
        }
        if not self._durable:
            # synchronous_commit stays on: without it a killed server loses acknowledged commits (observed), and fault tests
            # would blame the application. With fsync off it costs next to nothing.
            switches |= dict.fromkeys(("fsync", "full_page_writes"), "off")
        programs = reachable_programs(self._programs, self._user, self._home)
        settings = (part for name, value in switches.items() for part in ("-c", f"{name}={value}"))
        return ChildSpec(
            name="postgres",
            argv=(str(programs.folder / "postgres"), "-D", str(self._cluster.resolve()), *settings),
            env=_environment(),
            cwd=Path("/"),
            run_as=self._user,
            before_start=self.prepare,
            ready=self._answers,
            ready_seconds_max=60,  # recovery after a crash replays the log
            stop_signal=signal.SIGINT,  # fast shutdown: it ends the sessions and leaves nothing to recover
            grace_seconds=20,
            death_signal=signal.SIGINT,
        )

    def prepare(self) -> None:
        """Create the cluster, roles and database if there are none yet; clear what an earlier run left. Idempotent."""
        if self._cluster.exists():
            clear_leftovers(self._cluster)
            return
        draft = self._home / "cluster.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True, mode=0o700)
        if self._user is not None:
            os.chown(draft, self._user.uid, self._user.gid)
        self._run(
            "initdb",
            ["-D", str(draft.resolve()), "-U", SUPERUSER, "-E", "UTF8", "--locale=C", "--no-instructions", "-A", "reject"]
            + ([] if self._durable else ["--no-sync"]),
        )
        # Only TCP from this machine, only with a password. Written before the server is ever reachable.
        (draft / "pg_hba.conf").write_text(f"host all all {HOST}/32 scram-sha-256\n")
        self._run(
            "postgres",
            ["--single", "-D", str(draft.resolve()), "-c", "exit_on_error=on", "-c", "log_min_messages=fatal", "postgres"],
            # One command a line. The passwords are URL-safe: nothing to escape.
            f"ALTER ROLE {SUPERUSER} PASSWORD '{self._passwords[SUPERUSER]}';\n"
            f"CREATE ROLE {OWNER_ROLE} LOGIN PASSWORD '{self._passwords[OWNER_ROLE]}';\n"
            + "".join(f"{statement};\n" for statement in self._create_roles(self._process_roles, self._app_roles))
            + f"CREATE DATABASE {DATABASE} OWNER {OWNER_ROLE};\n",
        )
        draft.rename(self._cluster)  # the last step: a folder named `cluster` is complete

    def create_missing_roles(self) -> None:
        """Create the roles of processes that a cluster of an earlier version lacks. The server must answer."""
        with psycopg.connect(self.admin_dsn, autocommit=True) as connection:
            known = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles").fetchall()}
            for statement in self._create_roles(*([name for name in names if name not in known] for names in self._role_names)):
                connection.execute(statement)

    @property
    def _role_names(self) -> tuple[list[str], list[str]]:
        return self._process_roles, self._app_roles

    def _create_roles(self, process_roles: list[str], app_roles: list[str]) -> Iterator[str]:
        for name in (*process_roles, *app_roles):
            yield f"CREATE ROLE {name} LOGIN PASSWORD '{self._passwords[name]}'"
        for name in app_roles:
            yield f"GRANT {', '.join(self._process_roles)} TO {name}"

    def start(self) -> None:
        """Start the server and wait until it answers. Raises ChildFailed.

        The calling thread must live as long as the server.
        """
        self._child = Child(self.spec(), self._data / "logs")
        self._child.start()

    def stop(self) -> None:
        """Stop the server by a fast shutdown, if it runs."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def kill(self) -> int:
        """Send SIGKILL to a server that `start` began, and return its pid."""
        if self._child is None:
            raise DemoError("PostgreSQL was not started here")
        return self._child.kill()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def create_database(self, name: str) -> None:
        """Create an empty database owned by paimon_owner; `url(role, name)` is its URL."""
        self._execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(OWNER_ROLE)),
        )

    def drop_database(self, name: str) -> None:
        """Drop a database with all its sessions, if it exists."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def remove(self) -> None:
        """Delete the cluster, the passwords and the copied programs, wherever they are. The server must be stopped."""
        remove_cluster(self.records)

    @property
    def _password_file(self) -> Path:
        return self.records / "passwords.json"

    def _choose_home(self) -> Path:
        make_private_folder(self.records, passable_by=self._user)
        location = self.records / "location"  # written when the cluster is outside the data folder
        if self._user is None or (inaccessible := first_inaccessible_folder(self.records, self._user)) is None:
            # A clone that was moved to a reachable folder keeps its cluster.
            if not location.exists():
                return self.records
            inaccessible = self.records
        home = _fallback_home(self._data)
        if not location.exists() and (home / "cluster").exists():
            # The data folder was deleted with the passwords: this cluster cannot be opened again.
            clear_leftovers(home / "cluster")
            shutil.rmtree(home / "cluster")
        location.write_text(f"{home}\n")
        self.notice = (
            f"PostgreSQL's files are in {home}, because the user it runs as cannot enter {inaccessible}"
            if self._user is not None
            else f"PostgreSQL's files are in {home}"
        )
        return home

    def _cluster_major(self) -> int | None:
        if not self._cluster.exists():
            return None
        try:
            return int((self._cluster / "PG_VERSION").read_text())
        except (OSError, ValueError) as error:
            raise DataFolderUnusable(f"{self._cluster} is not a PostgreSQL cluster: start over with --fresh") from error

    def _run(self, program: str, arguments: list[str], text: str = "") -> None:
        programs = reachable_programs(self._programs, self._user, self._home)
        user = self._user
        try:
            subprocess.run(
                [str(programs.folder / program), *arguments],
                input=text,
                env=_environment(),
                cwd="/",
                user=user.uid if user is not None else None,
                group=user.gid if user is not None else None,
                extra_groups=[] if user is not None else None,
                capture_output=True,
                text=True,
                timeout=_INITDB_SECONDS_MAX,
                check=True,
            )
        except subprocess.CalledProcessError as error:
            raise DataFolderUnusable(
                f"{program} could not create PostgreSQL's files in {self._home}: {error.stderr.strip()}"
            ) from error

    def _answers(self) -> bool:
        try:
            self._execute(sql.SQL("SELECT 1"))
        except psycopg.OperationalError:
            return False
        return True

    def _execute(self, statement: sql.SQL | sql.Composed) -> None:
        with psycopg.connect(self.admin_dsn, autocommit=True, connect_timeout=2) as connection:
            connection.execute(statement)

    def _dsn(self, role: str, database: str, *, scheme: str) -> str:
        return f"{scheme}://{role}:{self._passwords[role]}@{HOST}:{self.port}/{database}"


def _fallback_home(data: Path) -> Path:
    """Return the folder below /var/tmp for this data folder, and create it. Raises DataFolderUnusable when it is not safe.

    Every user may create names there, so an existing one must be a real folder that belongs to this user and that no other user
    can write to.
    """
    home = _FALLBACK_PARENT / f"paimon-{hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:16]}"
    try:
        home.mkdir(mode=0o711)
    except FileExistsError:
        status = home.lstat()
        if not home.is_dir() or home.is_symlink() or status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise DataFolderUnusable(
                f"{home} exists and is not safe to use: remove it, or choose a data folder outside closed folders"
            ) from None
    home.chmod(0o711)  # despite the umask: the server's user must be able to enter
    return home


def _environment() -> dict[str, str]:
    """Return the server's environment, without this process's own (PGHOST, LANG …)."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
