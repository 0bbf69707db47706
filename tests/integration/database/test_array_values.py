"""Tests that values sent as an array literal arrive unchanged."""

from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Boolean, DateTime, Text, select
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.types import TypeEngine
from tests.support.factories.strategies import INSTANTS, UINT256

from paimon.domain.kernel.chain import ContractName
from paimon.infrastructure.database.arrays import array_literal, array_parameter, cached_array_literal
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.database.types import EnumText, Uint256Type

pytestmark = pytest.mark.integration

TEXTS: Final = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
"""NUL and lone surrogates are not valid PostgreSQL text; `strip_nul` and the decoder remove them before."""

KINDS: Final[list[tuple[TypeEngine[Any], st.SearchStrategy[Any]]]] = [
    (Uint256Type(), UINT256),
    (BYTEA(), st.binary(max_size=40)),
    (Text(), st.one_of(TEXTS, st.sampled_from(["NULL", "null", "{}", '"', "\\", "a,b", " "]))),
    (Boolean(), st.booleans()),
    (DateTime(timezone=True), INSTANTS),
    (EnumText(ContractName), st.sampled_from(ContractName)),
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=60)
@given(data=st.data())
async def test_array_values_survive_round_trip(database: Database, data: st.DataObject) -> None:
    kind, values = data.draw(st.sampled_from(KINDS))
    sent = data.draw(st.lists(st.one_of(st.none(), values), max_size=5))
    async with database.read() as session:
        found = (await session.execute(select(array_parameter("sent", kind)), {"sent": array_literal(sent)})).scalar_one()
    assert [_as_sent(value) for value in found] == sent


def _as_sent(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


def test_repeated_lists_are_written_the_same() -> None:
    assert (
        cached_array_literal("Vault", 'say "no"\\') == array_literal(["Vault", 'say "no"\\']) == '{"Vault","say \\"no\\"\\\\"}'
    )


def test_array_of_unknown_type_is_refused() -> None:
    with pytest.raises(TypeError, match="an array cannot hold float"):
        array_literal([1.5])
