"""API keys: what a key may do is on its list, and its maker's at that moment, and never a signature's."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.kernel.chain import Address
from paimon.domain.user.api_key import KEY_PERMISSIONS, ApiKey
from paimon.domain.user.roles import PERMISSIONS, Permission, User, UserRole

pytestmark = pytest.mark.unit

NOW = datetime(2026, 1, 31, tzinfo=UTC)
WALLET = Address(bytes(20))
SOME = st.frozensets(st.sampled_from(Permission))


def key(permissions: frozenset[Permission] = frozenset(KEY_PERMISSIONS), *networks: str) -> ApiKey:
    allowed = tuple(ip_network(network) for network in networks)
    return ApiKey(UUID(int=1), WALLET, "job", permissions, allowed, NOW, NOW + timedelta(days=1))


@given(SOME, st.sampled_from(UserRole), SOME, SOME)
def test_key_is_never_wider_than_its_list_its_maker_or_what_is_unsigned(
    listed: frozenset[Permission], role: UserRole, granted: frozenset[Permission], denied: frozenset[Permission]
) -> None:
    maker = User(WALLET, role, "", granted, denied)
    for permission, rule in PERMISSIONS.items():
        allowed = key(listed).permission_fault(maker, permission) is None
        assert allowed is (permission in listed and maker.may(permission) and not rule.is_signed)


@pytest.mark.parametrize(
    ("networks", "address", "counts"),
    [
        ((), "203.0.113.9", True),
        (("203.0.113.0/24",), "203.0.113.9", True),
        (("203.0.113.0/24", "2001:db8::/32"), "2001:db8::7", True),
        (("203.0.113.0/24",), "203.0.114.1", False),
        (("203.0.113.9/32",), "::ffff:203.0.113.9", False),
        (("0.0.0.0/0",), "2001:db8::7", False),
        (("203.0.113.0/24",), "", False),
        (("203.0.113.0/24",), "203.0.113.9, 10.0.0.1", False),
    ],
)
def test_key_counts_only_from_its_networks(networks: tuple[str, ...], address: str, counts: bool) -> None:
    assert (key(frozenset(), *networks).fault(NOW, address) is None) is counts


def test_expired_key_counts_for_nothing() -> None:
    assert key().fault(NOW + timedelta(days=1, microseconds=-1), "::1") is None
    assert "expired" in (key().fault(NOW + timedelta(days=1), "::1") or "")
