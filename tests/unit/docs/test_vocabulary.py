"""Retired words do not come back: in sources, tables, the OpenAPI document, metrics and docs."""

import prometheus_client
import pytest
from tests.support.vocabulary import RETIRED, Hit, hits_in_files, retired_words, split_names, term_for

from paimon.gateway.rest.reference import create_reference_app
from paimon.infrastructure.database.models import metadata
from paimon.infrastructure.observability import metrics as _metrics  # noqa: F401 — registers what a process counts

pytestmark = pytest.mark.unit


def test_sources_tests_docs_and_dashboards_have_no_retired_word() -> None:
    hits = list(hits_in_files())
    assert not hits, f"{len(hits)} retired words, first of them:\n" + "\n".join(str(hit) for hit in hits[:40])


def test_tables_columns_and_constraints_have_no_retired_word() -> None:
    names = [table.fullname for table in metadata.tables.values()]
    names += [f"{table.name}.{column.name}" for table in metadata.tables.values() for column in table.columns]
    names += [str(item.name) for table in metadata.tables.values() for item in table.constraints]
    names += [str(index.name) for table in metadata.tables.values() for index in table.indexes]
    assert not [Hit(name, 0, word) for name in names for word in retired_words(name)]


def test_the_openapi_document_has_no_retired_word() -> None:
    texts = list(_texts(create_reference_app().openapi()))
    assert len(texts) > 1_000
    assert not [Hit(text, 0, word) for text in texts for word in retired_words(text)]


def _texts(value: object) -> list[str]:
    """Return every key and text of a JSON document."""
    if isinstance(value, dict):
        return [text for key, part in value.items() for text in (str(key), *_texts(part))]
    if isinstance(value, list):
        return [text for part in value for text in _texts(part)]
    return [value] if isinstance(value, str) else []


def test_metrics_have_no_retired_word() -> None:
    families = [family for family in prometheus_client.REGISTRY.collect() if family.name.startswith("paimon_")]
    assert families
    described = [f"{family.name} {family.documentation}" for family in families]
    assert not [Hit(text, 0, word) for text in described for word in retired_words(text)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("clearTrouble", "clear trouble"),
        ("clear_trouble", "clear trouble"),
        ("PAIMON_FAULT_STORMS", "paimon fault storms"),
        ("HTTPServer", "http server"),
        ("fund:unfinal", "fund unfinal"),
    ],
)
def test_a_name_is_split_into_its_words_before_the_search(text: str, words: str) -> None:
    assert split_names(text) == words


@pytest.mark.parametrize(
    "text", ["DeskDeed", "the_remedies", "paimon_untold_total", "giveUp", "asked by whoever is there", "/desk/intents", "moot"]
)
def test_a_retired_word_is_found_in_every_spelling(text: str) -> None:
    assert retired_words(text)


@pytest.mark.parametrize(
    "text", ["believes", "string", "during", "bring", "houseboat", "earliest", "supplies", "a clear task", "0x1deed5"]
)
def test_a_word_that_contains_a_retired_word_is_not_found(text: str) -> None:
    assert not retired_words(text)


def test_every_retired_word_has_a_term_in_its_place() -> None:
    assert all(RETIRED.values())
    assert term_for("deeds") == "operator action"
