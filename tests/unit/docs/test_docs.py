"""Docs stay true: links lead somewhere, paths exist, commands and tests have the names that docs give them."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from tests.support.paths import DOCS, ROOT

from paimon.settings.reference import settings_reference

pytestmark = pytest.mark.unit

PAGES: Final = sorted(
    [*(page for page in DOCS.rglob("*.md") if page.name != "template.md"), *ROOT.glob("*.md"), ROOT / "contracts" / "README.md"]
)
TOP_FOLDERS: Final = (
    *("src", "tests", "docs", "deploy", "bench", "contracts"),
    *("application", "domain", "infrastructure", "gateway"),
)
SOURCE_SUFFIXES: Final = ("py", "md", "yml", "json", "toml", "sh", "sol", "mjs")


def links(page: Path) -> Iterator[str]:
    """Yield the targets of a page's relative links."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", target):
            yield target


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as they are made on the usual forges."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def named_paths(page: Path) -> Iterator[str]:
    """Yield what a page names in backticks as a file or folder of this repository."""
    for quoted in re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8")):
        is_file = re.fullmatch(rf"(?!/)[\w./-]*\w\.(?:{'|'.join(SOURCE_SUFFIXES)})", quoted)
        is_folder = re.fullmatch(rf"(?:{'|'.join(TOP_FOLDERS)})/[\w/-]+", quoted)
        if is_file or is_folder:
            yield quoted


@pytest.fixture(scope="module")
def tracked() -> frozenset[str]:
    """Return every file of the repository and every folder of one, each with `/` in front."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files = [f"/{name}" for name in listed.stdout.splitlines() if (ROOT / name).exists()]
    return frozenset(files) | {str(parent) for name in files for parent in Path(name).parents}


def exists(path: str, tracked: frozenset[str]) -> bool:
    """Tell whether a path that a page names is a file or folder, given whole or by its last parts."""
    ending = "/" + path.strip("/")
    return any(name.endswith(ending) for name in tracked)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_file_and_heading(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} leads nowhere"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{link}: {target.name} has no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_that_a_page_names_exists(page: Path, tracked: frozenset[str]) -> None:
    missing = [path for path in named_paths(page) if not exists(path, tracked)]
    assert not missing


def test_every_page_is_reached_by_a_link() -> None:
    linked = {(page.parent / link.partition("#")[0]).resolve() for page in PAGES for link in links(page)}
    lonely = [page for page in DOCS.rglob("*.md") if page.resolve() not in linked and page.name != "template.md"]
    assert not lonely


def test_every_test_that_a_page_names_exists() -> None:
    written = {name for file in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", file.read_text())}
    files = {file.stem for file in (ROOT / "tests").rglob("test_*.py")}
    for page in PAGES:
        named = set(re.findall(r"`(test_\w+)`", page.read_text(encoding="utf-8")))
        assert not named - written - files, f"{page.name} names tests that are not there"


OTHER_VARIABLES: Final = frozenset({
    "PAIMON_ENV_FILE", "PAIMON_AUDIT_ENDPOINT", "PAIMON_DEMO_DATA", "PAIMON_DEMO_POSTGRES", "PAIMON_DEMO_READY_SECONDS",
    "PAIMON_RECORD_EXAMPLES",
})  # fmt: skip
"""Variables of the command line, the demo and the tests, which are no settings."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_variable_that_a_page_names_exists(page: Path) -> None:
    known = set(re.findall(r"`(PAIMON_\w+)`", settings_reference())) | OTHER_VARIABLES
    tests = {name for file in (ROOT / "tests").rglob("*.py") for name in re.findall(r"PAIMON_[A-Z_]+", file.read_text())}
    named = set(re.findall(r"\bPAIMON_[A-Z0-9_]*[A-Z0-9]\b", page.read_text(encoding="utf-8")))
    groups = {name for name in named if any(variable.startswith(f"{name}_") for variable in known)}
    by_chain = {name for name in named if name.startswith("PAIMON_CHAIN__FINALITY__")}
    assert not named - known - tests - groups - by_chain


def test_stories_that_the_testing_page_names_are_told() -> None:
    page = (DOCS / "testing.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"^## What the console must do\n(.*?)^## ", page, flags=re.MULTILINE | re.DOTALL)
    (told,) = re.findall(
        r"export const STORIES = \{(.*?)\}", (ROOT / "tests/browser/stories.mjs").read_text(encoding="utf-8"), flags=re.DOTALL
    )
    named = set(re.findall(r"`([a-z]+(?:[A-Z][a-z]*)+)`", table))
    assert len(named) > 5
    assert named <= set(re.findall(r"\w+", told))
