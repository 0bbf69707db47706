"""Tests of docs/how-to/add-a-migration.md: its example runs on every edition, and the template keeps its promises."""

import re
import shutil
from pathlib import Path
from textwrap import dedent
from typing import Any, Final

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from pydantic import SecretStr
from sqlalchemy import create_engine, text
from tests.support.editions import EditionDatabase
from tests.support.paths import DOCS, ROOT

from paimon.gateway.cli.migrations import MigrationError, run_migrations
from paimon.infrastructure.database import migrate, version
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.database.version import DatabaseAhead, DatabaseBehind
from paimon.settings import DatabaseSettings, RetentionSettings, Settings

pytestmark = pytest.mark.integration


HOW_TO: Final = DOCS / "how-to" / "add-a-migration.md"
SHIPPED: Final = tuple(version.shipped_revisions())
NEWEST: Final = SHIPPED[-1]
NEXT_NUMBER: Final = f"{int(NEWEST[:4]) + 1:04}"
NOTICES: Final = f"{NEXT_NUMBER}_notices"


def example() -> str:
    """Return the migration in the how-to, as the one that follows this version's newest."""
    (block,) = re.findall(r"^ *```python\n(.*?)^ *```$", HOW_TO.read_text(), flags=re.DOTALL | re.MULTILINE)
    return re.sub(
        r'^(down_revision|revision) = ".*"$',
        lambda line: f'{line[1]} = "{NEWEST if line[1] == "down_revision" else NOTICES}"',
        dedent(block),
        flags=re.MULTILINE,
    )


@pytest.fixture
def migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy this version's migrations, so that a test can add the next version's."""
    copy = tmp_path / "migrations"
    shutil.copytree(version.MIGRATIONS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for module in (version, migrate):
        monkeypatch.setattr(module, "MIGRATIONS", copy)
    return copy


@pytest.fixture
def next_migration(migrations: Path) -> Path:
    """Add the how-to's migration to the copy."""
    file = migrations / "versions" / f"{NOTICES}.py"
    file.write_text(example())
    return file


def rows(edition_database: EditionDatabase, query: str) -> list[Any]:
    with edition_database.owner() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


async def test_example_migration_runs_on_every_edition_with_application_rights(
    edition_database: EditionDatabase, next_migration: Path
) -> None:
    edition_database.upgrade(revision=NEWEST)
    assert version.head_revision() == NOTICES
    edition_database.upgrade()
    async with edition_database.opened() as database:
        await version.require_current(database.engine)
        async with database.write() as session:
            await session.execute(text("INSERT INTO ops.notices (text) VALUES ('so it is')"))
            await session.execute(text("INSERT INTO ops.leases VALUES ('listener', 'tests', 1, now(), 'here')"))
    assert rows(edition_database, "SELECT id, text FROM ops.notices") == [(1, "so it is")]


def test_example_migration_can_be_reverted(owner_url: str, next_migration: Path) -> None:
    migrate.upgrade(owner_url)
    assert any("notices" in line for line in migrate.drift(owner_url))
    engine = create_engine(owner_url)
    try:
        with engine.begin() as connection:
            command.downgrade(migrate._config(connection), "-1")
    finally:
        engine.dispose()
    assert migrate.drift(owner_url) == []


class TestTemplate:
    @pytest.fixture
    def made(self, migrations: Path) -> Path:
        """Make a file with `alembic revision`, under the project's own configuration."""
        config = Config(toml_file=str(ROOT / "pyproject.toml"))
        config.set_main_option("script_location", str(migrations))
        command.revision(config, message="Nothing yet", rev_id=f"{NEXT_NUMBER}_nothing_yet")
        return migrations / "versions" / f"{NEXT_NUMBER}_nothing_yet.py"

    def test_new_file_is_named_like_its_migration_and_follows_newest(self, made: Path) -> None:
        assert version.shipped_revisions() == [*SHIPPED, f"{NEXT_NUMBER}_nothing_yet"]
        assert f"down_revision = '{NEWEST}'" in made.read_text()

    def test_each_direction_begins_with_lock_timeout(self, made: Path, owner_url: str) -> None:
        assert len(re.findall(r"def \w+\(\) -> None:\n    op\.execute\(_LOCK_TIMEOUT\)\n", made.read_text())) == 2
        assert migrate.upgrade(owner_url) == f"{NEXT_NUMBER}_nothing_yet"

    def test_example_begins_like_template(self, made: Path) -> None:
        line = re.compile(r"^_LOCK_TIMEOUT = .*$", re.MULTILINE)
        assert line.findall(example()) == line.findall(made.read_text()) != []


def test_upgrade_fails_with_message_when_table_is_in_use(owner_url: str, app_url: str, next_migration: Path) -> None:
    next_migration.write_text(example().replace("'5s'", "'200ms'"))
    databases = DatabaseSettings(url=SecretStr(app_url), owner_url=SecretStr(owner_url))
    settings = Settings.model_construct(database=databases, retention=RetentionSettings())
    with psycopg.connect(owner_url.replace("+psycopg", "")) as other:
        other.execute("SELECT FROM ops.leases")
        with pytest.raises(MigrationError, match="nothing was changed: stop the application's processes"):
            run_migrations(settings)
        other.rollback()
        assert other.execute("SELECT version_num, to_regclass('ops.notices') FROM alembic_version").fetchone() == (
            NEWEST,
            None,
        )
    assert run_migrations(settings) == NOTICES


async def test_database_one_migration_behind_is_refused_naming_both(database: Database, next_migration: Path) -> None:
    with pytest.raises(DatabaseBehind, match=rf"at migration {NEWEST}, this version needs {NOTICES}: run `paimon db upgrade`"):
        await version.require_current(database.engine)


async def test_database_one_migration_ahead_is_refused(owner_url: str, database: Database, next_migration: Path) -> None:
    migrate.upgrade(owner_url)
    next_migration.unlink()  # noqa: ASYNC240 — nothing else runs on this loop
    message = rf"at migration {NOTICES}, which this version does not have \(its newest is {NEWEST}\): run the version"
    with pytest.raises(DatabaseAhead, match=message):
        await version.require_current(database.engine)
    with pytest.raises(DatabaseAhead, match=message):
        migrate.upgrade(owner_url)
