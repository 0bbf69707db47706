"""Compare requirements.lock with a list of advisories in a file: `python -m tests.support.advisories all.zip`.

Without a file nothing is compared, and that is said: no list comes with the project, because an old one would prove little.

The list is OSV's export of the Python packages (`PyPI/all.zip`, a JSON document for each advisory), which a machine without
network can be given. A list whose newest change is older than two weeks proves little, and is refused.
"""

import json
import re
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from packaging.version import InvalidVersion, Version

AGE_MAX: Final = timedelta(days=14)
_PIN: Final = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)


class UnusableList(Exception):
    """The file is no list of advisories, or an old one."""


def read_pins(lock: str) -> dict[str, str]:
    """Return the pinned version of each package of a lock file."""
    return {_normalized(name): version for name, version in _PIN.findall(lock)}


def read_advisories(archive: Path, *, now: datetime) -> list[dict[str, Any]]:
    """Return the advisories of an export that are not withdrawn.

    Raises:
        UnusableList
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            found = [json.loads(opened.read(name)) for name in opened.namelist() if name.endswith(".json")]
        newest = max((datetime.fromisoformat(advisory["modified"]) for advisory in found), default=None)
    except (OSError, zipfile.BadZipFile, ValueError, KeyError, TypeError) as error:
        raise UnusableList(f"{archive} is no export of OSV: {error!r}") from error
    if newest is None or newest < now - AGE_MAX:
        raise UnusableList(f"the newest advisory of {archive} is of {newest}: get a newer export")
    return [advisory for advisory in found if "withdrawn" not in advisory]


def find_vulnerable(pins: Mapping[str, str], advisories: Iterable[dict[str, Any]]) -> list[str]:
    """Return one line for each pinned version that an advisory is about."""
    return sorted(
        {
            f"{name} {pins[name]}: {advisory['id']} {advisory.get('summary', '')}".rstrip()
            for advisory in advisories
            for affected in advisory.get("affected", [])
            if (name := _python_package(affected)) in pins and _is_affected(Version(pins[name]), affected)
        }
    )


def _python_package(affected: Mapping[str, Any]) -> str:
    package = affected.get("package", {})
    return _normalized(package["name"]) if package.get("ecosystem") == "PyPI" else ""


def _is_affected(version: Version, affected: Mapping[str, Any]) -> bool:
    if any(version == listed for listed in _versions(affected.get("versions", []))):
        return True
    ranges = (entry for entry in affected.get("ranges", []) if entry.get("type") == "ECOSYSTEM")
    return any(_is_within(version, entry["events"]) for entry in ranges)


def _is_within(version: Version, events: Iterable[Mapping[str, str]]) -> bool:
    """Follow the events of a range up to this version: introduced turns it on, fixed and the one after last_affected off."""
    inside = False
    for event in events:
        kind, text = next(iter(event.items()))
        at = Version("0") if text == "0" else next(_versions([text]), None)
        if at is None:
            continue
        if kind == "introduced" and version >= at:
            inside = True
        elif (kind == "fixed" and version >= at) or (kind == "last_affected" and version > at):
            inside = False
    return inside


def _versions(texts: Iterable[str]) -> Iterator[Version]:
    for text in texts:
        try:
            yield Version(text)
        except InvalidVersion:  # some old packages had versions that no tool of today can install
            continue


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main(*files: str) -> int:
    """Say what the comparison found, or that there was none. Return the exit code: 1 for a finding, or an unusable list."""
    pins = read_pins(Path("requirements.lock").read_text(encoding="utf-8"))
    if not files:
        print(
            f"advisories: NOT COMPARED, the {len(pins)} pinned packages may have known faults. There is no list here:"
            " give OSV's export (make check ADVISORIES=all.zip), or run make audit where the network is",
            file=sys.stderr,
        )
        return 0
    try:
        lines = find_vulnerable(pins, read_advisories(Path(files[0]), now=datetime.now(UTC)))
    except UnusableList as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(lines or [f"no advisory is about the {len(pins)} pinned packages"]))
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
