"""Search the repository's files for secrets: `python -m tests.support.secret_scan` prints what it finds, and fails.

It knows the form of private keys, keystores, tokens of services, and passwords in URLs. A raw private key that no word near it
calls so looks like any hash of 64 hexadecimal digits, and is not found. History is not searched.
"""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

KINDS: Final = {
    "private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s*[A-Za-z0-9+/=\n]{40,}"),
    "named key": re.compile(r"(?i)(?:private_?key|secret|seed|priv)[\"']?\s*[:=]\s*[\"']?(?:0x)?[0-9a-f]{64}\b"),
    "keystore": re.compile(r"\"ciphertext\"\s*:\s*\"[0-9a-f]{64}"),
    "mnemonic": re.compile(r"(?i)mnemonic[\"']?\s*[:=]\s*[\"'](?!test test)(?:[a-z]{3,8} ){11}"),
    "AWS key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "Google key": re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b|\"private_key_id\"\s*:\s*\"[0-9a-f]{40}"),
    "service token": re.compile(
        r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|glpat-[A-Za-z0-9_-]{20}|xox[baprs]-[A-Za-z0-9-]{10,}|sk_live_[A-Za-z0-9]{16,}"
        r"|npm_[A-Za-z0-9]{36}|pypi-AgEI[A-Za-z0-9_-]{50,})"
    ),
    "signed token": re.compile(r"\beyJ[A-Za-z0-9_-]{15,}\.eyJ[A-Za-z0-9_-]{15,}\.[A-Za-z0-9_-]{20,}"),
    "password in a URL": re.compile(
        r"[a-z]://[^\s:/@\"'<>{}]*:(?!PASSWORD|password|change-me|secret|…|x+@|\.\.\.)[^\s:/@\"'<>{}$…]{8,}@"
    ),
}

KNOWN: Final = frozenset(
    {
        ("docs/reference/openapi.json", "signed token"),  # of a user who exists in an example only
        ("src/paimon/gateway/rest/examples.json", "signed token"),
    }
)
_SKIPPED: Final = ("package-lock.json", "requirements.lock", ".png", ".svg")


def find_secrets(text: str) -> Iterator[tuple[int, str]]:
    """Yield line and kind of everything in the text that has the form of a secret. The secret itself is never shown."""
    for kind, pattern in KINDS.items():
        for match in pattern.finditer(text):
            yield text.count("\n", 0, match.start()) + 1, kind


def scan(files: Iterable[str]) -> list[str]:
    """Return one line for each finding that is not known."""
    return [
        f"{name}:{line}: {kind}"
        for name in files
        for line, kind in find_secrets(Path(name).read_text(encoding="utf-8", errors="replace"))
        if (name, kind) not in KNOWN
    ]


def repository_files() -> list[str]:
    """List the files that git knows or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return [name for name in listed if not name.endswith(_SKIPPED) and Path(name).is_file()]


if __name__ == "__main__":
    found = scan(repository_files())
    print("\n".join(found or ["no secrets found"]))
    if found:
        sys.exit("take each out of the repository, and replace it where it was in use: a commit keeps what it once had")
