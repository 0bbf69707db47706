"""Block headers for tests that prove nothing from them."""

from tests.support.factories.strategies import stamp

from paimon.application.event_listener.fetch.block_range import Header
from paimon.domain.kernel.chain import Hash32


def bare_header(number: int) -> Header:
    """Build a header with an empty bloom."""
    return Header(stamp(number), stamp(max(number - 1, 0)).hash, logs_bloom=0, receipts_root=Hash32(bytes(32)), transactions=())
