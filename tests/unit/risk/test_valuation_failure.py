"""A failed valuation is a warning, and critical once it has lasted."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.factories.strategies import EPOCH

from paimon.domain.risk.risk_event import Severity
from paimon.domain.risk.valuation_failure import CRITICAL_AFTER, valuation_finding

pytestmark = pytest.mark.unit


@given(st.none() | st.integers(0, 3_600).map(lambda seconds: timedelta(seconds=seconds)))
def test_failure_is_critical_exactly_from_its_time_on(lasted: timedelta | None) -> None:
    now = EPOCH + timedelta(days=1)
    finding = valuation_finding("read", failing_since=None if lasted is None else now - lasted, now=now)
    assert (finding.severity is Severity.CRITICAL) == (lasted is not None and lasted >= CRITICAL_AFTER)
    assert finding.observed == "read"
