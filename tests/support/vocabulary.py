"""Words that the project gave up for the field's own terms, and where they are looked for.

A name is split before it is searched: `clearTrouble`, `clear_trouble` and `clear-trouble` are all "clear trouble".
"""

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from tests.support.paths import ROOT

RETIRED: Final[Mapping[str, str]] = {
    r"announced (contracts?|tokens?)": "discovered",
    r"back office": "users",
    r"book (difference|check)s?": "reconciliation break, reconciliation",
    r"caught (at )?(lies?|lying)": "invalid response, endpoint fault",
    r"carry out (deeds?|decided|ticket)": "apply, queue the call",
    r"decided (outside|elsewhere)": "decided externally",
    r"deeds?": "operator action",
    r"deep trouble": "finality violation",
    r"desks?": "transactions, wallets, plans; context; service",
    r"doorbells?": "new heads, notify",
    r"fates?": "status of a pending log",
    r"followed contracts?": "tracked contract",
    r"forked lives|lives of|death points?": "workflow, crash point",
    r"giv(e|es|en|ing) up": "abort, dead-letter, stop",
    r"hand(s|ed|ing)? in": "submit",
    r"happenings?": "NAV input, applied event",
    r"held block": "recorded block",
    r"houses?": "application, system, backend",
    r"in hand": "in progress",
    r"interrupted (since|by)": "failing since, last error",
    r"liars?|lies?|lied|lying": "invalid response; is, is wrong",
    r"moot": "obsolete, impossible",
    r"nobody|somebody|whoever|whatever|anybody|everybody": "name the actor",
    r"ordeals?": "fault scenario",
    r"passed over": "rejected",
    r"purses?": "funds quote",
    r"remed(y|ies)": "quarantine decision, outbox replay, retry action",
    r"rings?|bells?": "notify, new heads",
    r"satisfied elsewhere": "satisfied externally",
    r"sightings?": "nonce receipts",
    r"storms?": "chaos run",
    r"take up|taken up": "triage, acknowledge",
    r"told by": "source log index",
    r"troubles?|troubled": "fault",
    r"unfinal": "pending log",
    r"unfollowed": "untracked",
    r"untold": "unknown",
    r"untrue": "invalid",
    r"venues?": "exchange",
    r"weather": "fault profile",
    r"weigh(s|ed|ing)?": "select a wallet",
    r"wish(es)?": "operator action",
    r"witness(es)?": "node quorum",
    r"yards?": "factory",
}
"""Each retired word as a pattern over split, lower-case text, and the term that stands in its place."""

SUFFIXES: Final = frozenset({".py", ".md", ".yml", ".yaml", ".json", ".toml", ".sh", ".mjs"})
LEFT_OUT: Final = (
    "tests/support/vocabulary.py",  # this list
    "tests/unit/docs/test_vocabulary.py",  # its examples
    "bench/results/",  # figures of the past, under the names they had
    "bench/peers/",  # other projects' interfaces
    "contracts/artifacts/",
    "src/paimon_devkit/stack/unprivileged_user.py",  # the Unix user `nobody`
    "src/paimon/infrastructure/blockchain/abi/",
    "package-lock.json",
)

_PATTERN: Final = re.compile(rf"(?<![a-z])(?:{'|'.join(f'(?:{each})' for each in RETIRED)})(?![a-z])")


class Hit(NamedTuple):
    """A retired word and its place; `line` is 0 where the text has no lines."""

    place: str
    line: int
    word: str

    def __str__(self) -> str:
        return f"{self.place}:{self.line}: {self.word!r} is now {term_for(self.word)!r}"


def split_names(text: str) -> str:
    """Return the text in lower case, without hexadecimal numbers, with every identifier split into its words."""
    without_hex = re.sub(r"0x[0-9a-fA-F]+", " ", text)
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", without_hex)
    return re.sub(r"[_\-:./]+", " ", apart).lower()


def retired_words(text: str) -> list[str]:
    """Return the retired words in a text, in order."""
    return [found.group(0) for found in _PATTERN.finditer(split_names(text))]


def term_for(word: str) -> str:
    """Return the term that stands in place of a retired word."""
    return next(term for pattern, term in RETIRED.items() if re.fullmatch(pattern, word))


def tracked_files() -> Iterator[Path]:
    """Yield every text file of the repository whose words count."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.split("\0"):
        path = ROOT / name
        counts = path.suffix in SUFFIXES or path.name == "Makefile"
        if name and counts and path.is_file() and not any(part in name for part in LEFT_OUT):
            yield path


def hits_in_files() -> Iterator[Hit]:
    """Yield every retired word in the tracked files."""
    for path in tracked_files():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            for word in retired_words(line):
                yield Hit(str(path.relative_to(ROOT)), number, word)
