"""Write a demo account's key as a keystore, for the commands that take `--keystore` and `--password-file`.

For the demo only: all its keys are derived from the mnemonic in the data folder, so that file gives access to every key.
"""

from pathlib import Path

from paimon.infrastructure.keys.keystore import KeystoreError, create_keystore
from paimon_devkit.stack.accounts import DemoAccounts
from paimon_devkit.stack.errors import DemoError, DemoNotRunning
from paimon_devkit.stack.secret_files import write_password_file


def write_keystore(data: Path, name: str, keystore: Path) -> Path:
    """Write the keystore and a file with a random password, both of mode 0600. Return the password file's path.

    Raises:
        DemoNotRunning, UnknownAccount; DemoError: one of the files exists, or cannot be written.
    """
    if not (mnemonic_file := data / "accounts").exists():
        raise DemoNotRunning(f"no demo has run in {data}: start it with `make demo` (or name its folder with --data)")
    account = DemoAccounts.load_or_create(mnemonic_file).account(name)
    password_file = keystore.with_name(f"{keystore.name}.password")
    if keystore.exists() or password_file.exists():
        raise DemoError(f"{keystore if keystore.exists() else password_file} exists already: name another file")
    try:
        write_password_file(password_file)
        create_keystore(keystore, password_file, bytes(account.key))
    except (OSError, KeystoreError) as error:
        raise DemoError(f"the keystore cannot be written: {error}") from error
    return password_file
