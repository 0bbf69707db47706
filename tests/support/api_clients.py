"""Generated clients of the API, for tests: what generates them is installed on first use, into the project's folder.

    Python      openapi-python-client, in an environment of its own (`.api-clients/`): it needs an older typer than we do
    TypeScript  openapi-typescript, openapi-fetch and tsc from npm, below `tests/api_clients/`

The same npm packages have the JSON schema of AsyncAPI documents, and an implementation of ERC-7730 that is not ours.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.support.paths import DOCS, ROOT

DOCUMENT: Final = DOCS / "reference" / "openapi.json"
PROGRAMS: Final = ROOT / "tests" / "api_clients"
_ENVIRONMENT: Final = ROOT / ".api-clients"
_REQUIREMENTS: Final = PROGRAMS / "python-requirements.lock"
_PACKAGES: Final = PROGRAMS / "node_modules"
_ASYNCAPI_SCHEMA: Final = _PACKAGES / "@asyncapi" / "specs" / "schemas" / "3.0.0-without-$id.json"
_SECONDS_MAX: Final = 240


class ProgramFailed(Exception):
    """A program ended with an error; the message has the end of its output."""


def run_program(
    *command: str | Path, cwd: Path | None = None, variables: Mapping[str, str] | None = None, text: str | None = None
) -> str:
    """Run a program to its end with this text on its standard input, and return what it printed."""
    environment = {name: os.environ[name] for name in os.environ if not name.startswith("PYTHON")} | dict(variables or {})
    result = subprocess.run(
        command, cwd=cwd, env=environment, input=text, capture_output=True, text=True, timeout=_SECONDS_MAX, check=False
    )
    if result.returncode:
        raise ProgramFailed(f"{command[0]} ended with {result.returncode}: {(result.stderr + result.stdout)[-3_000:]}")
    return result.stdout


@contextmanager
def _installing() -> Iterator[None]:
    """Hold the lock of installations: of several test processes the first installs, and the others wait."""
    _ENVIRONMENT.mkdir(exist_ok=True)
    with (_ENVIRONMENT / "installing.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install_python() -> Path:
    """Install the generator of Python clients unless it is there, and return its environment's programs."""
    home = _ENVIRONMENT / "python"
    installed = home / "installed.lock"
    with _installing():
        if not installed.exists() or installed.read_bytes() != _REQUIREMENTS.read_bytes():
            uv = Path(sys.executable).with_name("uv")
            shutil.rmtree(home, ignore_errors=True)
            run_program(uv, "venv", "--quiet", "--python", sys.executable, home)
            run_program(uv, "pip", "sync", "--quiet", "--require-hashes", "--python", home / "bin" / "python", _REQUIREMENTS)
            shutil.copyfile(_REQUIREMENTS, installed)
    return home / "bin"


def install_packages() -> None:
    """Install the npm packages unless they are there."""
    installed, wanted = _PACKAGES / "installed.json", PROGRAMS / "package-lock.json"
    with _installing():
        if not installed.exists() or installed.read_bytes() != wanted.read_bytes():
            run_program("npm", "ci", "--silent", "--no-audit", "--no-fund", cwd=PROGRAMS)
            shutil.copyfile(wanted, installed)


def asyncapi_schema() -> dict[str, Any]:
    """Return the JSON schema (draft 7) that every AsyncAPI 3.0 document matches."""
    install_packages()
    schema: dict[str, Any] = json.loads(_ASYNCAPI_SCHEMA.read_bytes())
    return schema


@dataclass(frozen=True, slots=True)
class GeneratedClient:
    """A client program: the command that runs it, with the API's address and an access token as its arguments."""

    command: tuple[str | Path, ...]
    variables: dict[str, str]

    def run(self, url: str, token: str) -> Any:
        """Run the program, and return the JSON that it printed."""
        return json.loads(run_program(*self.command, url, token, variables=self.variables))


def python_client(folder: Path) -> GeneratedClient:
    """Generate the Python client into a folder. A warning of the generator is an error: some pieces would be missing."""
    programs = _install_python()
    config = folder / "config.json"
    config.write_text(json.dumps({"post_hooks": []}))
    output = folder / "paimon_client"
    generate = (programs / "openapi-python-client", "generate", "--meta", "none", "--fail-on-warning")
    run_program(*generate, "--config", config, "--path", DOCUMENT, "--output-path", output, cwd=folder)
    return GeneratedClient((programs / "python", PROGRAMS / "use_client.py"), {"PYTHONPATH": str(folder)})


def typescript_client(folder: Path) -> GeneratedClient:
    """Generate the types, and compile the program that uses them: tsc refuses what the document does not allow."""
    install_packages()
    (folder / "node_modules").symlink_to(_PACKAGES)
    (folder / "package.json").write_text(json.dumps({"type": "module"}))
    shutil.copyfile(PROGRAMS / "use_client.ts", folder / "use_client.ts")
    binaries = _PACKAGES / ".bin"
    run_program(binaries / "openapi-typescript", DOCUMENT, "--output", folder / "api.d.ts", cwd=folder)
    options = ("--strict", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom", "--skipLibCheck")
    run_program(binaries / "tsc", *options, "use_client.ts", cwd=folder)
    return GeneratedClient(("node", folder / "use_client.js"), {})


def main() -> None:
    """Install all of it. `make test` calls this first, so that no test waits for a download."""
    _install_python()
    install_packages()


if __name__ == "__main__":
    main()
