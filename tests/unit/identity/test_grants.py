"""The chain of signed grants: what counts is what a super_admin signed, in its place."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.kernel.eip712 import SignatureTerms, SigningScope
from paimon.domain.user.grants import FIRST_PREVIOUS, FirstSuperAdminFixed, Grant, GrantChain, InvalidExceptions, SignedGrant
from paimon.domain.user.roles import Permission, User, UserRole
from paimon.infrastructure.keys.signatures import recover_typed, typed_digest

pytestmark = pytest.mark.unit

SCOPE: Final = SigningScope(31337, Address(bytes([9]) * 20))
ADA, SAM, OTTO, EVE = (Account.from_key(bytes([number]) * 32) for number in (1, 2, 3, 4))
WHEN: Final = datetime(2026, 3, 2, tzinfo=UTC)


def wallet(account: LocalAccount) -> Address:
    return Address(bytes.fromhex(account.address[2:]))


FIRST: Final = User(wallet(ADA), UserRole.SUPER_ADMIN, "Ada")


class Ledger:
    """Grants as a table keeps them, each signed where the chain is then."""

    def __init__(self) -> None:
        self.stored: list[SignedGrant] = []

    @property
    def chain(self) -> GrantChain:
        return GrantChain(FIRST).extend(self.stored, recover)

    def next_grant(
        self, user: LocalAccount, role: UserRole | None, name: str = "", **exceptions: frozenset[Permission]
    ) -> Grant:
        terms = SignatureTerms(Hash32(len(self.stored).to_bytes(32, "big")), WHEN)
        return self.chain.next_grant(wallet(user), role, name, terms, **exceptions)

    def add(self, grant: Grant, by: LocalAccount, *, scope: SigningScope = SCOPE) -> SignedGrant:
        signature = by.sign_typed_data(full_message=grant.document(scope)).signature
        self.stored.append(SignedGrant(len(self.stored) + 1, grant, wallet(by), bytes(signature)))
        return self.stored[-1]

    def reasons(self) -> list[str]:
        return [rejected.reason for rejected in self.chain.rejected]


def recover(signed: SignedGrant) -> tuple[Hash32, Address]:
    document = signed.grant.document(SCOPE)
    return typed_digest(document), recover_typed(document, signed.signature)


@pytest.fixture
def ledger() -> Ledger:
    """Ada has made Sam a super_admin, and Sam has made Otto an operator."""
    ledger = Ledger()
    ledger.add(ledger.next_grant(SAM, UserRole.SUPER_ADMIN), ADA)
    ledger.add(ledger.next_grant(OTTO, UserRole.OPERATOR, "Otto"), SAM)
    return ledger


def test_chain_makes_users_that_super_admins_signed(ledger: Ledger) -> None:
    assert ledger.chain.users == {
        wallet(ADA): FIRST,
        wallet(SAM): User(wallet(SAM), UserRole.SUPER_ADMIN, ""),
        wallet(OTTO): User(wallet(OTTO), UserRole.OPERATOR, "Otto"),
    }
    assert ledger.chain.rejected == []


def test_removed_super_admin_grants_nothing_more_and_earlier_grants_stay(ledger: Ledger) -> None:
    ledger.add(ledger.next_grant(SAM, None), ADA)
    ledger.add(ledger.next_grant(EVE, UserRole.ADMIN), SAM)
    assert set(ledger.chain.users) == {wallet(ADA), wallet(OTTO)}
    assert ledger.reasons() == [f"{SAM.address} was no super_admin"]


def test_grant_of_a_lower_role_counts_for_nothing(ledger: Ledger) -> None:
    ledger.add(ledger.next_grant(OTTO, UserRole.SUPER_ADMIN), OTTO)
    assert ledger.chain.users[wallet(OTTO)].role is UserRole.OPERATOR
    assert ledger.reasons() == [f"{OTTO.address} was no super_admin"]


@pytest.mark.parametrize(
    "change",
    [{"role": UserRole.SUPER_ADMIN}, {"user": wallet(EVE)}, {"name": "Eve"}, {"sequence": 4}, {"previous": FIRST_PREVIOUS}],
)
def test_grant_changed_after_its_signature_counts_for_nothing(ledger: Ledger, change: dict[str, object]) -> None:
    signed = ledger.add(ledger.next_grant(OTTO, UserRole.VIEWER, "Otto"), ADA)
    ledger.stored[-1] = replace(signed, grant=replace(signed.grant, **change))  # type: ignore[arg-type]
    assert ledger.reasons() == [f"{ADA.address} did not sign it"]
    assert ledger.chain.users[wallet(OTTO)].role is UserRole.OPERATOR


def test_signature_for_another_fund_counts_for_nothing(ledger: Ledger) -> None:
    ledger.add(ledger.next_grant(EVE, UserRole.ADMIN), ADA, scope=SigningScope(56, SCOPE.redemption_manager))
    assert ledger.reasons() == [f"{ADA.address} did not sign it"]


def test_grant_played_again_after_its_revocation_counts_for_nothing(ledger: Ledger) -> None:
    ledger.add(ledger.next_grant(OTTO, None), ADA)
    ledger.stored.append(replace(ledger.stored[1], id=4))
    assert wallet(OTTO) not in ledger.chain.users
    assert ledger.reasons() == ["it does not follow grant 3"]


def test_removed_or_reordered_grant_breaks_the_chain_from_there(ledger: Ledger) -> None:
    ledger.add(ledger.next_grant(EVE, UserRole.VIEWER), ADA)
    del ledger.stored[1]
    assert set(ledger.chain.users) == {wallet(ADA), wallet(SAM)}


def test_worthless_grant_does_not_stop_the_chain(ledger: Ledger) -> None:
    ledger.add(ledger.next_grant(EVE, UserRole.SUPER_ADMIN), EVE)
    ledger.add(ledger.next_grant(EVE, UserRole.VIEWER), ADA)
    assert ledger.chain.users[wallet(EVE)].role is UserRole.VIEWER
    assert len(ledger.reasons()) == 1


def test_no_grant_changes_the_first_super_admin(ledger: Ledger) -> None:
    with pytest.raises(FirstSuperAdminFixed, match="init --replace"):
        ledger.next_grant(ADA, None)
    grant = replace(ledger.next_grant(EVE, UserRole.VIEWER), user=wallet(ADA))
    ledger.add(grant, SAM)
    assert ledger.chain.users[wallet(ADA)] == FIRST


SETTLE: Final = frozenset({Permission.SETTLE})
READ: Final = frozenset({Permission.READ})


def test_grant_gives_and_takes_rights_besides_the_role(ledger: Ledger) -> None:
    ledger.add(ledger.next_grant(EVE, UserRole.VIEWER, "Eve", granted=SETTLE, denied=READ), SAM)
    eve = ledger.chain.users[wallet(EVE)]
    assert (eve.may(Permission.SETTLE), eve.may(Permission.READ)) == (True, False)
    ledger.add(ledger.next_grant(EVE, UserRole.VIEWER, "Eve"), ADA)
    assert ledger.chain.users[wallet(EVE)] == User(wallet(EVE), UserRole.VIEWER, "Eve")


@pytest.mark.parametrize(
    "change",
    [
        {"granted": frozenset({Permission.SETTLE, Permission.ADMINISTER_FUND})},
        {"granted": frozenset()},
        {"denied": frozenset()},
        {"granted": frozenset(), "denied": frozenset()},
        {"granted": READ, "denied": SETTLE},
    ],
)
def test_exceptions_changed_after_their_signature_count_for_nothing(
    ledger: Ledger, change: dict[str, frozenset[Permission]]
) -> None:
    signed = ledger.add(ledger.next_grant(OTTO, UserRole.ADMIN, granted=SETTLE, denied=READ), ADA)
    ledger.stored[-1] = replace(signed, grant=replace(signed.grant, **change))  # type: ignore[arg-type]
    assert ledger.reasons() == [f"{ADA.address} did not sign it"]
    assert ledger.chain.users[wallet(OTTO)].role is UserRole.OPERATOR


@pytest.mark.parametrize(
    ("role", "granted", "denied", "reason"),
    [
        (UserRole.ADMIN, frozenset({Permission.MANAGE_USERS}), frozenset(), "comes with the role super_admin only"),
        (UserRole.VIEWER, SETTLE, SETTLE, "granted and denied at once: settle"),
        (None, SETTLE, frozenset(), "a removed person has no rights"),
    ],
)
def test_contradictory_exceptions_are_refused_and_count_for_nothing(
    ledger: Ledger, role: UserRole | None, granted: frozenset[Permission], denied: frozenset[Permission], reason: str
) -> None:
    with pytest.raises(InvalidExceptions, match=reason):
        ledger.next_grant(EVE, role, granted=granted, denied=denied)
    ledger.add(replace(ledger.next_grant(EVE, role), granted=granted, denied=denied), ADA)
    assert reason in ledger.reasons()[0]


def test_super_admin_whose_right_was_taken_grants_nothing_more(ledger: Ledger) -> None:
    ledger.add(ledger.next_grant(SAM, UserRole.SUPER_ADMIN, denied=frozenset({Permission.MANAGE_USERS})), ADA)
    ledger.add(ledger.next_grant(EVE, UserRole.ADMIN), SAM)
    assert wallet(EVE) not in ledger.chain.users


def test_without_first_super_admin_nothing_counts(ledger: Ledger) -> None:
    assert GrantChain(None).extend(ledger.stored, recover).users == {}
