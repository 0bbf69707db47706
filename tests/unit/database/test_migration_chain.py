"""The migrations are one chain in the order of their numbers: two that follow the same one are seen before they land."""

import pytest
from alembic.script import ScriptDirectory

from paimon.infrastructure.database import migrations

pytestmark = pytest.mark.unit


def test_each_migration_follows_the_one_before_it_by_number() -> None:
    scripts = ScriptDirectory(str(next(iter(migrations.__path__))))
    found = sorted(scripts.walk_revisions(), key=lambda script: script.revision)
    assert scripts.get_heads() == [found[-1].revision]
    assert [script.down_revision for script in found] == [None, *(script.revision for script in found[:-1])]
    assert [int(script.revision[:4]) for script in found] == list(range(1, len(found) + 1))
