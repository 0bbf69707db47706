"""Folders of the repository that tests read."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
CONTRACTS: Final = ROOT / "contracts"
DEPLOY: Final = ROOT / "deploy"
DOCS: Final = ROOT / "docs"
