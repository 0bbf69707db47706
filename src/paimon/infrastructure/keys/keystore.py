"""Keys at rest: encrypted keystore files (Web3 Secret Storage, scrypt), each with its password in a file of its own.

Only their owner may read the two files. A file that others may read is refused.
"""

import json
import os
import stat
from pathlib import Path
from typing import Final

from eth_account import Account

from paimon.infrastructure.keys.local_key import LocalKey

SCRYPT_COST: Final = 2**17
"""About half a second and 128 MB per password guess. Tests and the demo's throw-away keys use a lower cost."""


class KeystoreError(Exception):
    """A key file cannot be used. The message names the file and what to do, never its content."""


def create_keystore(keystore: Path, password_file: Path, private_key: bytes, *, scrypt_cost: int = SCRYPT_COST) -> None:
    """Write the key, encrypted with the password in `password_file`. An existing keystore is never overwritten.

    Raises:
        KeystoreError: the password file is unusable, or the keystore exists.
    """
    document = Account.encrypt(private_key, _password(password_file), kdf="scrypt", iterations=scrypt_cost)
    try:
        descriptor = os.open(keystore, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise KeystoreError(f"keystore {keystore} exists already; a key is never overwritten") from None
    with os.fdopen(descriptor, "w") as file:
        json.dump(document, file)


def load_key(keystore: Path, password_file: Path) -> LocalKey:
    """Decrypt and return the key.

    Raises:
        KeystoreError: a file is missing, readable by others or malformed, or the password is wrong.
    """
    text = read_private(keystore)
    try:
        document = json.loads(text)
    except ValueError:
        raise KeystoreError(f"keystore {keystore} is not JSON") from None
    try:
        return LocalKey(bytes(Account.decrypt(document, _password(password_file))))
    except (ValueError, KeyError, TypeError):
        # `from None`: the library's error may quote what it tried to decrypt.
        raise KeystoreError(
            f"keystore {keystore} does not open with the password in {password_file}, or is no keystore file"
        ) from None


def read_private(path: Path) -> str:
    """Return the text of a file that only its owner may read.

    Raises:
        KeystoreError: the file is missing, unreadable, or readable by others.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise KeystoreError(f"{path} cannot be read: {error}") from error
    require_private(path)
    return text


def require_private(path: Path) -> None:
    """Refuse a file that others than its owner may open.

    Raises:
        KeystoreError
    """
    mode = path.stat().st_mode
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeystoreError(f"{path} is open to others (mode {stat.S_IMODE(mode):04o}); run: chmod 600 {path}")


def _password(path: Path) -> str:
    password = read_private(path).strip()
    if not password:
        raise KeystoreError(f"password file {path} is empty")
    return password
