"""Build step of the wheel: the console's files are made from `web/` first, because the repository holds none.

Needs Node 20 and npm. An editable install builds nothing: `make console` does.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ConsoleBuildHook(BuildHookInterface):
    """Build the console into the package, unless it was built from these sources already."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        script = Path(self.root) / "web" / "scripts" / "build.mjs"
        if version == "editable" or not script.exists():  # a wheel that is made from an sdist takes the sdist's built files
            return
        node = shutil.which("node")
        if node is None:
            raise RuntimeError("the console cannot be built: install Node 20 or newer with npm")
        subprocess.run([node, str(script)], check=True)
