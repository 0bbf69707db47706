"""The console's built files in memory, each with its compressed forms."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

BUILT: Final = Path(__file__).parent / "built"
"""Where `web/` is built to. The repository holds no built files; the wheel does."""

_MEDIA_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}
_ENCODINGS: Final = {"br": ".br", "gzip": ".gz"}
"""By name, the suffix of a compressed form; the better one first."""


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file, as it is and as it was compressed when it was built."""

    name: str
    media_type: str
    content: bytes
    compressed: Mapping[str, bytes]
    etag: str

    @classmethod
    def of(cls, name: str, content: bytes, compressed: Mapping[str, bytes] | None = None) -> Self:
        etag = f'W/"{hashlib.sha256(content).hexdigest()[:32]}"'
        return cls(name, _MEDIA_TYPES[Path(name).suffix], content, compressed or {}, etag)

    def encoded_for(self, accepted: str) -> tuple[str | None, bytes]:
        """Return the best form that an Accept-Encoding header allows, with its encoding; None for the file as it is."""
        allowed = _allowed_encodings(accepted)
        for encoding, content in self.compressed.items():
            if encoding in allowed:
                return encoding, content
        return None, self.content


def _allowed_encodings(accepted: str) -> set[str]:
    """Return the encodings that are named, and not with a weight of 0."""
    allowed = set()
    for item in accepted.lower().split(","):
        name, _, weight = item.partition(";")
        if weight.replace(" ", "").strip("0.") != "q=":
            allowed.add(name.strip())
    return allowed


@dataclass(frozen=True, slots=True)
class ConsoleFiles:
    """All files by their path below `/console/`."""

    by_name: Mapping[str, StaticFile]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read every file of a type that the console has. A folder that is missing gives none."""
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix in _MEDIA_TYPES]
        return cls({name: _read(path, name) for path in paths for name in [path.relative_to(folder).as_posix()]})

    @property
    def built(self) -> bool:
        return "index.html" in self.by_name

    def find(self, name: str) -> StaticFile | None:
        return self.by_name.get(name)

    def get(self, name: str) -> StaticFile:
        return self.by_name[name]


def _read(path: Path, name: str) -> StaticFile:
    forms = {encoding: path.with_name(path.name + suffix) for encoding, suffix in _ENCODINGS.items()}
    return StaticFile.of(
        name, path.read_bytes(), {encoding: form.read_bytes() for encoding, form in forms.items() if form.is_file()}
    )
