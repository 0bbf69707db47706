"""Tests of If-None-Match: which headers name the present data."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.gateway.rest.conditional import entity_tag, matches

pytestmark = pytest.mark.unit

TAG = entity_tag(b"data")
OPAQUE = TAG.removeprefix("W/")
CHARACTERS = st.characters(
    min_codepoint=0x21, max_codepoint=0xFF, exclude_characters='"' + "".join(map(chr, range(0x7F, 0xA0)))
)
OTHERS = st.builds(lambda weak, text: f'{weak}"{text}"', st.sampled_from(["", "W/"]), st.text(CHARACTERS, max_size=20))
BETWEEN = st.sampled_from([",", ", ", " ,\t", ",,", ", , "])


def test_tag_is_weak_and_follows_the_data() -> None:
    assert TAG.startswith('W/"')
    assert entity_tag(b"data") == TAG != entity_tag(b"date")


@given(st.lists(OTHERS, max_size=5), st.lists(OTHERS, max_size=5), BETWEEN, st.booleans(), st.booleans())
def test_list_matches_where_it_names_the_tag(
    before: list[str], behind: list[str], between: str, weak: bool, named: bool
) -> None:
    tags = [*before, *([TAG if weak else OPAQUE] if named else []), *behind]
    assert matches([between.join(tags)], TAG) is named
    assert matches(tags, TAG) is named, "each in a line of its own"


@pytest.mark.parametrize("header", ["*", " * ", TAG, OPAQUE, f"  {TAG},", f",{TAG}", f'"a,b",{TAG}'])
def test_header_matches(header: str) -> None:
    assert matches([header], TAG)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [""],
        ["**"],
        ["*", TAG],  # a star stands alone
        [OPAQUE.strip('"')],
        [f"w/{OPAQUE}"],  # the prefix is case-sensitive
        [f"{TAG} {TAG}"],
        [f'"{TAG}"'],
        [TAG[:-1]],
        [f'"x{OPAQUE[1:]}'],
        [f'"a, {OPAQUE[1:]}'],
    ],
)
def test_header_does_not_match(headers: list[str]) -> None:
    assert not matches(headers, TAG)
