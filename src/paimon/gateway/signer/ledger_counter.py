"""The counter beside the spend ledger: how many transactions were signed, in a file that belongs on another disk.

An old copy of the ledger knows fewer, and is refused.
"""

import json
import os
from pathlib import Path
from typing import Any

from paimon.infrastructure.keys.keystore import KeystoreError, require_private


class LedgerError(Exception):
    """The ledger cannot be used. The message names the file and what to do."""


class LedgerCounter:
    """How many transactions the ledger of this id has signed. The file is replaced in one step."""

    def __init__(self, path: Path, ledger_id: str) -> None:
        self.path = path
        self._ledger_id = ledger_id

    def read(self) -> int:
        """Raises LedgerError when the file is missing, no counter, or another ledger's."""
        try:
            require_private(self.path)
            content: Any = json.loads(self.path.read_text())
            ledger_id, signed = content["ledger"], int(content["signed"])
        except FileNotFoundError:
            raise LedgerError(
                f"the counter {self.path} of the spend ledger is missing: restore it, or the ledger may be an old copy"
            ) from None
        except KeystoreError as error:
            raise LedgerError(str(error)) from error
        except (ValueError, KeyError, TypeError) as error:
            raise LedgerError(f"{self.path} is no counter of a spend ledger: {error!r}") from error
        if ledger_id != self._ledger_id:
            raise LedgerError(f"the counter {self.path} belongs to another spend ledger: put the right ledger back")
        return signed

    def write(self, signed: int) -> None:
        draft = self.path.with_name(self.path.name + ".new")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump({"ledger": self._ledger_id, "signed": signed}, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path)
