"""Permissions: the table decides, a grant's exceptions change it for one person, and a role on chain is needed besides."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.paths import ROOT

from paimon.application.identity.permissions import NotPermitted, require_permission
from paimon.domain.kernel.chain import Address
from paimon.domain.user.reference import permissions_reference
from paimon.domain.user.roles import PERMISSIONS, ChainRole, Permission, User, UserRole

pytestmark = pytest.mark.unit

WALLET = Address(bytes(20))
CHAIN_ROLES = sorted({rule.on_chain for rule in PERMISSIONS.values() if rule.on_chain is not None})
SOME_PERMISSIONS = st.frozensets(st.sampled_from(Permission))


def test_committed_reference_matches_code() -> None:
    page = (ROOT / "docs" / "reference" / "permissions.md").read_text()
    assert page == permissions_reference(), "run `make reference`"


def test_every_permission_has_a_rule_and_a_higher_role_loses_nothing() -> None:
    assert PERMISSIONS.keys() == set(Permission)
    for lower, higher in combinations(UserRole, 2):
        rights = [{p for p in Permission if User(WALLET, role, "").may(p)} for role in (lower, higher)]
        assert rights[0] < rights[1]


@given(st.sampled_from(UserRole), SOME_PERMISSIONS, SOME_PERMISSIONS, st.frozensets(st.sampled_from(CHAIN_ROLES)))
def test_right_needs_role_or_grant_no_denial_and_the_chain(
    role: UserRole, granted: frozenset[Permission], denied: frozenset[Permission], held: frozenset[ChainRole]
) -> None:
    user = User(WALLET, role, "", granted, denied)
    for permission, rule in PERMISSIONS.items():
        here = permission not in denied and (permission in granted or role.includes(rule.role))
        on_chain = rule.on_chain is None or rule.on_chain in held
        assert (not list(user.faults(permission, held))) is (here and on_chain)


def test_refusal_names_everything_that_is_missing() -> None:
    with pytest.raises(NotPermitted, match=r"role admin or above; the person is viewer; .*VIP_APPROVER_ROLE on the Redemption"):
        require_permission(User(WALLET, UserRole.VIEWER, ""), Permission.DECIDE_APPROVAL)
    denied = User(WALLET, UserRole.SUPER_ADMIN, "", denied=frozenset({Permission.READ}))
    with pytest.raises(NotPermitted, match="read is denied to this person by a grant"):
        require_permission(denied, Permission.READ)


def test_right_that_needs_the_chain_is_refused_where_the_chain_was_not_read() -> None:
    """A caller that forgets the chain refuses; it never lets anyone through."""
    super_admin = User(WALLET, UserRole.SUPER_ADMIN, "")
    for permission, rule in PERMISSIONS.items():
        if rule.on_chain is not None:
            with pytest.raises(NotPermitted):
                require_permission(super_admin, permission)
            require_permission(super_admin, permission, {rule.on_chain})
