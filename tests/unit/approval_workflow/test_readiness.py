"""Whether enough people of a group can sign now."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.support.factories.strategies import address

from paimon.domain.approval.first_policy import FIRST_POLICY
from paimon.domain.approval.policy_document import parse_policy, policy_document
from paimon.domain.approval.readiness import People, Readiness, SignerGroup, safe_group, voter_groups
from paimon.domain.approval.stand_in import Pairs
from paimon.domain.kernel.chain import ContractName, OnChainRole, checksum
from paimon.domain.user.roles import ChainRole, Permission, User, UserRole

NOW: Final = datetime(2026, 3, 2, tzinfo=UTC)
LATELY: Final = timedelta(days=3)
VIP: Final = frozenset({ChainRole(ContractName.REDEMPTION_MANAGER, OnChainRole.VIP_APPROVER_ROLE)})
ADA, VERA, VIKTOR, OTTO, STRANGER = (address(number) for number in range(1, 6))


def people(*, seen: dict[Any, timedelta] | None = None, denied: frozenset[Permission] = frozenset()) -> People:
    """Return ada, two admins and an operator. vera and otto hold the approver's role on chain; `seen` is how long ago."""
    users = [
        User(ADA, UserRole.SUPER_ADMIN, "ada"),
        User(VERA, UserRole.ADMIN, "vera", denied=denied),
        User(VIKTOR, UserRole.ADMIN, "viktor"),
        User(OTTO, UserRole.OPERATOR, "otto"),
    ]
    return People(
        {user.address: user for user in users},
        {VERA: VIP, OTTO: VIP},
        {who: NOW - ago for who, ago in (seen or {}).items()},
        Pairs(since=NOW, now=NOW),
    )


def state(group: SignerGroup) -> tuple[Readiness, int, int]:
    return group.readiness(NOW, within=LATELY), len(group.able()), len(group.present(NOW, within=LATELY))


def test_safe_is_ready_when_enough_owners_were_seen_lately() -> None:
    owners = (VERA, VIKTOR, STRANGER)
    day, week = timedelta(days=1), timedelta(days=7)
    assert state(safe_group("warm", owners, 2, people(seen={VERA: day, VIKTOR: LATELY}))) == (Readiness.READY, 3, 2)
    assert state(safe_group("warm", owners, 2, people(seen={VERA: day, VIKTOR: week}))) == (Readiness.AWAY, 3, 1)


def test_voters_need_the_role_here_and_on_chain() -> None:
    (group, *_) = voter_groups(FIRST_POLICY, people(seen={VERA: timedelta(0)}))
    assert state(group) == (Readiness.READY, 1, 1)
    missing = {signer.user.name: len(signer.faults) for signer in group.signers if signer.user}
    assert missing == {"ada": 1, "vera": 0, "viktor": 1}, "otto has the role on chain, and is no administrator"
    (group, *_) = voter_groups(FIRST_POLICY, people(denied=frozenset({Permission.DECIDE_APPROVAL})))
    assert state(group) == (Readiness.SHORT, 0, 0)


def test_administrator_who_may_sign_no_safe_transaction_approves_no_plan() -> None:
    groups = voter_groups(FIRST_POLICY, people(denied=frozenset({Permission.SIGN_PROPOSALS})))
    asked = next(group for group in groups if "rebalance_large" in group.rules)
    assert [signer.user.name for signer in asked.able() if signer.user] == ["ada", "viktor"]


def test_group_that_several_rules_ask_for_is_listed_once() -> None:
    groups = voter_groups(FIRST_POLICY, people())
    assert len({group.name for group in groups}) == len(groups)
    asking = {rule.name for rule in FIRST_POLICY.rules if rule.approvals is not None}
    assert {name for group in groups for name in group.rules} == asking


def test_named_person_who_is_no_user_cannot_vote() -> None:
    document = policy_document(FIRST_POLICY)
    rule = next(rule for rule in document["rules"] if rule.get("approvals"))
    rule["approvals"] = [[{"count": 1, "from": [checksum(STRANGER), checksum(VERA)]}]]
    groups = voter_groups(parse_policy(document, version=2), people())
    named = next(group for group in groups if rule["name"] in group.rules)
    assert {signer.address: bool(signer.faults) for signer in named.signers} == {STRANGER: True, VERA: False}
