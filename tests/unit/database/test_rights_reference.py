"""The reference of the database's rights is made from the rights table."""

import pytest
from tests.support.paths import ROOT

from paimon.infrastructure.database.rights.reference import rights_reference
from paimon.infrastructure.database.rights.roles import MEANINGS, DatabaseRole, create_statements

pytestmark = pytest.mark.unit


def test_committed_reference_matches_code() -> None:
    page = (ROOT / "docs" / "reference" / "database-rights.md").read_text()
    assert page == rights_reference(), "run `make reference`"


def test_every_role_is_explained_and_made_by_the_deploy_page() -> None:
    assert MEANINGS.keys() == set(DatabaseRole)
    page = (ROOT / "docs" / "operations" / "deploy.md").read_text()
    for statement in create_statements("paimon_"):
        assert statement.replace('"', "") in page
