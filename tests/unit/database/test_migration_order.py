"""The migrations are one line: two with the same predecessor leave a database that cannot be upgraded."""

from pathlib import Path

from alembic.script import ScriptDirectory

from paimon.infrastructure.database import migrations


def test_migrations_are_one_line_in_the_order_of_their_numbers() -> None:
    scripts = ScriptDirectory(str(Path(migrations.__path__[0])))
    assert len(scripts.get_heads()) == 1, scripts.get_heads()
    names = [script.revision for script in scripts.walk_revisions()]
    assert names == sorted(names, reverse=True)
