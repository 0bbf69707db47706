"""The status of a proposal: by the owners' signatures, the time, and the execution at its nonce."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.factories.strategies import ADDRESSES, EPOCH

from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.transaction.safe_proposal import (
    IncompleteExecutions,
    ProposalOutcome,
    ProposalStatus,
    SafeExecutionEvent,
    SafeInfo,
    SignatureTally,
    executions_by_nonce,
    proposal_outcome,
    proposal_status,
    tally_signatures,
)

pytestmark = pytest.mark.unit

LATER = EPOCH + timedelta(hours=1)
OWNERS = st.lists(ADDRESSES, min_size=1, max_size=5, unique=True)
OURS, REJECTION, OTHER, TX = (Hash32(bytes([number]) * 32) for number in range(4))


def counted(reached: bool) -> SignatureTally:
    return SignatureTally((Address(bytes(20)),) if reached else (), (), (), 1)


@given(OWNERS, st.sets(ADDRESSES, max_size=5), st.data())
def test_tally_counts_present_owners_and_names_each_owner_once(
    owners: list[Address], strangers: set[Address], data: st.DataObject
) -> None:
    signed = data.draw(st.sets(st.sampled_from(owners))) | strangers
    found = tally_signatures(signed, SafeInfo(tuple(owners), 2, 0))
    assert set(found.valid_signers) == signed & set(owners)
    assert set(found.former_owners) == signed - set(owners)
    assert sorted((*found.valid_signers, *found.missing_signers)) == sorted(owners)
    assert found.is_reached == (len(signed & set(owners)) >= 2)


@pytest.mark.parametrize("reached", [True, False])
@pytest.mark.parametrize("outcome", ProposalOutcome)
def test_outcome_on_chain_decides_the_status(outcome: ProposalOutcome, reached: bool) -> None:
    found = proposal_status(outcome, counted(reached), is_executing=True, expires_at=EPOCH, now=LATER)
    assert found is ProposalStatus(outcome)


@pytest.mark.parametrize(
    ("reached", "is_executing", "expired", "status"),
    [
        (False, False, False, ProposalStatus.COLLECTING),
        (True, False, False, ProposalStatus.READY),
        (True, False, True, ProposalStatus.EXPIRED),
        (False, False, True, ProposalStatus.EXPIRED),
        (True, True, False, ProposalStatus.EXECUTING),
        (True, True, True, ProposalStatus.EXECUTING),
    ],
)
def test_open_proposal_has_its_status(reached: bool, is_executing: bool, expired: bool, status: ProposalStatus) -> None:
    now = LATER if expired else LATER - timedelta(microseconds=1)
    assert proposal_status(None, counted(reached), is_executing=is_executing, expires_at=LATER, now=now) is status


@pytest.mark.parametrize(
    ("executed", "succeeded", "outcome"),
    [
        (OURS, True, ProposalOutcome.EXECUTED),
        (OURS, False, ProposalOutcome.FAILED),
        (REJECTION, True, ProposalOutcome.REJECTED),
        (OTHER, True, ProposalOutcome.SUPERSEDED),
        (OTHER, False, ProposalOutcome.SUPERSEDED),
    ],
)
def test_proposal_ends_by_the_execution_at_its_nonce(executed: Hash32, succeeded: bool, outcome: ProposalOutcome) -> None:
    assert proposal_outcome(OURS, SafeExecutionEvent(executed, succeeded, TX), rejection=REJECTION) is outcome


def test_executed_rejection_is_executed_itself() -> None:
    assert proposal_outcome(REJECTION, SafeExecutionEvent(REJECTION, True, TX), rejection=REJECTION) is ProposalOutcome.EXECUTED


@given(st.integers(0, 100), st.lists(st.binary(min_size=32, max_size=32).map(Hash32), max_size=5))
def test_executions_take_the_nonces_in_order(before: int, hashes: list[Hash32]) -> None:
    executions = [SafeExecutionEvent(hash_, True, TX) for hash_ in hashes]
    found = executions_by_nonce(executions, before=before, now=before + len(hashes))
    assert [found[nonce].hash for nonce in range(before, before + len(hashes))] == hashes


@given(st.integers(0, 5), st.integers(0, 5))
def test_logs_that_do_not_explain_the_nonce_are_refused(logged: int, advanced: int) -> None:
    executions = [SafeExecutionEvent(OURS, True, TX)] * logged
    if logged == advanced:
        assert len(executions_by_nonce(executions, before=7, now=7 + advanced)) == logged
        return
    with pytest.raises(IncompleteExecutions):
        executions_by_nonce(executions, before=7, now=7 + advanced)
