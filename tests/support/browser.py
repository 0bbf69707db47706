"""A real Chromium from npm, and the stories it goes through. It is installed on first use, below `tests/browser/`."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tests.support.api_clients import run_program
from tests.support.paths import ROOT

PROGRAMS: Final = ROOT / "tests" / "browser"

Act = Callable[[str, Mapping[str, Any]], Any]
"""Does something outside of the browser for a story, and returns what the story reads."""


def install_browser() -> None:
    """Install Chromium and what drives it, unless they are there."""
    installed, wanted = PROGRAMS / "node_modules" / "installed.json", PROGRAMS / "package-lock.json"
    if not installed.exists() or installed.read_bytes() != wanted.read_bytes():
        run_program("npm", "ci", "--silent", "--no-audit", "--no-fund", cwd=PROGRAMS)
        shutil.copyfile(wanted, installed)


def run_stories(
    url: str, act: Act, *, pictures: Path, failures: Path, only: list[str] | None = None
) -> Iterator[tuple[str, float, str | None]]:
    """Run the stories, and yield each with its seconds and its error, None where it went well.

    `only` names those to run. `pictures` gets the pictures of the documentation, `failures` one of each page of a story
    that failed. `act` is called in this thread.
    """
    command = [
        "node",
        str(PROGRAMS / "run.mjs"),
        json.dumps({"url": url, "pictures": str(pictures), "failures": str(failures), "only": only}),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        for text in program.stdout:
            line = json.loads(text)
            if "story" in line:
                yield line["story"], line["seconds"], line.get("error")
                continue
            program.stdin.write(json.dumps(_answer(act, line)) + "\n")
            program.stdin.flush()
    if program.returncode:
        raise AssertionError(f"the stories ended with {program.returncode}")


def _answer(act: Act, line: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return {"result": act(line["act"], line)}
    except Exception as error:  # noqa: BLE001 - the story that asked reports it
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    install_browser()
