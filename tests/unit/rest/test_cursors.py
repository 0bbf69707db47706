"""Tests of cursors: each is read back as it was, and nothing else is."""

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import SecretStr

from paimon.domain.kernel.units import UINT256_MAX
from paimon.gateway.rest.cursors import CURSOR_CHARACTERS_MAX, CursorCodec
from paimon.infrastructure.database.paging import InvalidCursor, Key, Position

pytestmark = pytest.mark.unit

SECRET = "a secret for tests only, 32 bytes+"
FILTERS = [("status", "OPEN"), ("pageSize", "20")]
KEYS: st.SearchStrategy[Key] = st.one_of(
    st.integers(-1, 2 * UINT256_MAX),
    st.text(max_size=40),
    st.binary(max_size=32),
    st.uuids(),
    st.datetimes(timezones=st.just(UTC)),
)
POSITIONS = st.builds(Position, st.lists(KEYS, min_size=1, max_size=4).map(tuple), st.none() | st.integers(0, 2**63))


def codec(path: str = "/api/v1/risk/events", filters: list[tuple[str, str]] = FILTERS, secret: str = SECRET) -> CursorCodec:
    return CursorCodec.of([SecretStr(secret)], path, filters)


@given(POSITIONS)
def test_cursor_is_read_back(position: Position) -> None:
    cursor = codec().encode(position)
    assert len(cursor) <= CURSOR_CHARACTERS_MAX
    read = codec(filters=[("page", "3"), ("cursor", cursor), ("pageSize", "7"), ("status", "OPEN")]).decode(cursor)
    assert read == position
    assert [type(key) for key in read.keys] == [type(key) for key in position.keys]


@given(POSITIONS, st.data())
def test_changed_cursor_is_refused(position: Position, data: st.DataObject) -> None:
    cursor = codec().encode(position)
    place = data.draw(st.integers(0, len(cursor)))
    put = data.draw(st.text("ABCxyz019-_=+/ \n.é🙂", max_size=2))
    changed = cursor[:place] + put + cursor[place + data.draw(st.integers(0, 2)) :]
    assume(changed != cursor)
    with pytest.raises(InvalidCursor):
        codec().decode(changed)


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip("=")))
def test_any_text_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        codec().decode(cursor)


@pytest.mark.parametrize(
    "other",
    [
        codec(path="/api/v1/approvals"),
        codec(filters=[]),
        codec(filters=[("status", "RESOLVED")]),
        codec(filters=[*FILTERS, ("kind", "LOW_GAS")]),
        codec(filters=[("status", "OPEN\nkind"), ("", "")]),
        codec(secret=SECRET[::-1]),
    ],
)
def test_cursor_of_another_list_filter_or_installation_is_refused(other: CursorCodec) -> None:
    cursor = codec().encode(Position((datetime(2026, 3, 2, tzinfo=UTC), 7)))
    with pytest.raises(InvalidCursor, match="nextCursor"):
        other.decode(cursor)
