"""Programs of Debian's packages, for tests: unpacked on first use into the project's folder `.debian/`.

Tests of a program are skipped, with the reason, only where it cannot be had: without Debian's package tools, or on another
machine than x86-64. A failed download fails the tests.
"""

import fcntl
import platform
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from tests.support.api_clients import run_program
from tests.support.paths import ROOT

from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres

_HOME: Final = ROOT / ".debian"
_INSTALLER: Final = ROOT / "tests" / "debian" / "install.sh"
_LIBRARIES: Final = Path("usr/lib/x86_64-linux-gnu")

# What PostgreSQL is linked with in every release, so that the system's own libraries are not used, and what sets its loader.
_POSTGRES_NEEDS: Final = (
    *("patchelf", "libc6", "libgcc-s1", "libstdc++6", "zlib1g", "libzstd1", "liblz4-1", "liblzma5", "libxml2", "libpq5"),
    *("libpam0g", "libaudit1", "libcap-ng0", "libcap2", "libsasl2-2", "libsystemd0", "libselinux1", "libpcre2-8-0"),
    *("libgssapi-krb5-2", "libkrb5-3", "libk5crypto3", "libkrb5support0", "libkeyutils1", "libcom-err2", "libuuid1"),
    *("libgcrypt20", "libgpg-error0", "libxxhash0"),
)


@dataclass(frozen=True, slots=True)
class DebianPrograms:
    """Packages of one Debian release (None: the machine's own) and the paths that are kept of them."""

    name: str
    release: str | None
    paths: tuple[str, ...]
    packages: tuple[str, ...]

    def require(self) -> Path:
        """Return the folder with the programs, installed if necessary; skip the test where they cannot be had."""
        if not can_be_installed():
            pytest.skip(f"NOT TESTED, {self.name}: it comes from Debian's packages for x86-64, and this is another system")
        folder = _HOME / self.name
        with _installing():
            if not folder.exists():
                print(f"· {self.name} from Debian's packages, for the tests, into .debian")
                release = self.release or platform.freedesktop_os_release()["VERSION_CODENAME"]
                run_program(_INSTALLER, release, folder, ",".join(self.paths), *self.packages)
        return folder


_POSTGRES_PATHS: Final = ("usr/bin/patchelf", str(_LIBRARIES))
POSTGRES_15: Final = DebianPrograms(
    "postgresql-15",
    "bookworm",
    ("usr/lib/postgresql", "usr/share/postgresql", "lib/x86_64-linux-gnu", *_POSTGRES_PATHS),
    (
        *("postgresql-15", "libssl3", "libicu72", "libldap-2.5-0", "libgnutls30", "libp11-kit0", "libidn2-0", "libunistring2"),
        *("libtasn1-6", "libnettle8", "libhogweed6", "libgmp10", "libffi8"),
        *_POSTGRES_NEEDS,
    ),
)
"""Older than every supported server."""

TIMESCALEDB: Final = DebianPrograms(
    "postgresql-17-timescaledb",
    "trixie",
    ("usr/lib/postgresql", "usr/share/postgresql", *_POSTGRES_PATHS),
    ("postgresql-17", "postgresql-17-timescaledb", "libssl3t64", "libicu76", "libldap2", *_POSTGRES_NEEDS),
)
"""PostgreSQL 17 with TimescaleDB's Apache edition."""

REDIS_7: Final = DebianPrograms(
    "redis-7.0",
    "bookworm",
    ("usr/bin", str(_LIBRARIES), "lib/x86_64-linux-gnu"),
    (
        *("redis-server", "redis-tools", "libjemalloc2", "liblua5.1-0", "lua-cjson", "lua-bitop", "libatomic1", "libssl3"),
        *("liblzf1", "libsystemd0", "libcap2", "libgcrypt20", "libgpg-error0", "liblzma5", "libzstd1", "liblz4-1"),
        *("libc6", "libgcc-s1", "libstdc++6"),
    ),
)
"""The oldest Redis that is supported."""

_PROMETHEUS: Final = DebianPrograms(
    "prometheus", None, ("usr/bin/promtool",), ("prometheus",)
)  # it uses the system's libraries


def can_be_installed() -> bool:
    """Return whether Debian's packages for x86-64 can be fetched and run on this machine."""
    tools = ("apt-get", "dpkg-deb")
    return sys.platform == "linux" and platform.machine() == "x86_64" and all(shutil.which(tool) for tool in tools)


def promtool() -> Path:
    """Return Prometheus' `promtool`: the system's own, or Debian's."""
    found = shutil.which("promtool")
    return Path(found) if found else _PROMETHEUS.require() / "usr/bin/promtool"


def postgres_server(programs: DebianPrograms, folder: Path) -> EmbeddedPostgres:
    """Return a server of these programs, which are copied into `folder`, where the server's user can reach them."""
    installed, home = programs.require(), folder / "programs"
    shutil.copytree(installed, home, symlinks=True)
    home.chmod(0o755)  # under any umask
    (bin_dir,) = (home / "usr/lib/postgresql").glob("*/bin")
    _set_loader(home, bin_dir)
    return EmbeddedPostgres(folder, bin_dir=bin_dir, durable=False, with_app_role=True)


def with_own_libraries(home: Path, program: str) -> tuple[str, ...]:
    """Return the command that starts a program of `usr/bin` with the libraries beside it."""
    loader, libraries = _loader(home)
    return (str(loader), "--library-path", libraries, str(home / "usr/bin" / program))


def _loader(home: Path) -> tuple[Path, str]:
    """Return the loader and the search path of the libraries: the system's may be older."""
    folders = [folder for folder in (home / _LIBRARIES, home / "lib/x86_64-linux-gnu") if folder.exists()]
    loader = next(folder / "ld-linux-x86-64.so.2" for folder in folders if (folder / "ld-linux-x86-64.so.2").exists())
    return loader, ":".join(map(str, folders))


def _set_loader(home: Path, bin_dir: Path) -> None:
    loader, libraries = _loader(home)
    patchelf = (loader, "--library-path", libraries, home / "usr/bin/patchelf")
    for program in ("postgres", "initdb"):
        run_program(*patchelf, "--set-interpreter", loader, "--force-rpath", "--set-rpath", libraries, bin_dir / program)


@contextmanager
def _installing() -> Iterator[None]:
    """Hold the lock of installations: of several test processes the first installs, and the others wait."""
    _HOME.mkdir(exist_ok=True)
    with (_HOME / "installing.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> None:
    """Install all. `make test` calls this first, so that no test waits for a download."""
    if not can_be_installed():
        print(
            "· not installed, programs of Debian's packages for x86-64, as this is another system; their tests will be skipped"
        )
        return
    for programs in (TIMESCALEDB, POSTGRES_15, REDIS_7):
        programs.require()
    promtool()


if __name__ == "__main__":
    main()
