"""The rule by which a PostgreSQL server is refused."""

import pytest

from paimon.infrastructure.database.version import UnsupportedServer, require_supported

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("found", ["9.6.24", "14.19", "15.14 (Debian 15.14-0+deb12u1)", "15beta1", "unknown"])
def test_older_server_is_refused_with_its_version_and_the_supported_ones(found: str) -> None:
    with pytest.raises(UnsupportedServer) as refusal:
        require_supported(found)
    assert str(refusal.value) == f"the server is PostgreSQL {found}, which is too old; versions 16, 17 and 18 are supported"


@pytest.mark.parametrize("found", ["16.0", "16.14", "17.12 (Debian 17.12-0+deb13u1)", "18.6", "19devel"])
def test_supported_and_newer_server_is_accepted(found: str) -> None:
    require_supported(found)
