"""Write the files of the demo's signer: keystores, passwords, policy and spend ledger. Existing ones are kept."""

import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress
from pydantic import SecretStr

from paimon.domain.kernel.chain import parse_address
from paimon.gateway.signer.caller_policy import CallersTable
from paimon.gateway.signer.ledger import Ledger
from paimon.gateway.signer.policy import SignerPolicy
from paimon.gateway.signer.policy_tables import (
    MONEY_FUNCTIONS,
    SAFE_MONEY_FUNCTIONS,
    CapsTable,
    ContractsTable,
    KeyTable,
    PlanSignerTable,
    SafeTable,
    SignableFunction,
)
from paimon.gateway.signer.policy_text import write_policy
from paimon.infrastructure.blockchain.contracts.fund import FundAddresses
from paimon.infrastructure.keys.keystore import create_keystore
from paimon_devkit.stack.accounts import PLANNER
from paimon_devkit.stack.safe_deployment import SafeDeployment
from paimon_devkit.stack.secret_files import load_or_create_passwords, write_private_file

_SOCKET_PATH_MAX: Final = 100
"""The kernel allows 107 bytes, and the suffix of a temporary name must fit too."""

_SCRYPT_COST: Final = 2**12
"""Cheap on purpose: these keys exist for a demo only, and the signer starts often."""

_ALLOWED_FUNCTIONS: Final = {
    "keeper": frozenset({SignableFunction.SETTLE, SignableFunction.SETTLE_SCHEDULED, SignableFunction.EXECUTE}),
    "approver": frozenset({SignableFunction.APPROVE, SignableFunction.REJECT}),
    "hot": MONEY_FUNCTIONS,
}
_CAPS: Final = CapsTable(gas_wei_per_day_max=100 * 10**18)
"""A demo's days pass in minutes, at the gas price of a local chain."""
_LIMITS: Final = {"hot": {"plan_limit": 10_000, "day_limit": 500_000}}
_PERSON_LIMITS: Final = {"plan_limit": 10_000, "day_limit": 500_000}
_PLANNER_LIMITS: Final = {"plan_limit": 5_000, "day_limit": 100_000}
_WARM_LIMITS: Final = {"plan_limit": 100_000, "day_limit": 2_000_000}


def write_signer_files(
    folder: Path,
    *,
    accounts: Mapping[str, LocalAccount],
    plan_signers: Mapping[str, ChecksumAddress],
    planner: ChecksumAddress,
    chain_id: int,
    rpc_url: str,
    fund: FundAddresses,
    safes: SafeDeployment | None,
) -> Path:
    """Write keystores of these accounts, passwords, policy and ledger to `folder`. Return the path of the signer's socket.

    `plan_signers` are the people by name whose signed plans the hot key carries out, `planner` the process; each has limits of
    its own. `safes` is None where the demo has none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    keys = []
    for name, account in accounts.items():
        keystore, password_file = write_keystore(folder, name, account)
        keys.append(
            KeyTable(
                name=name,
                address=bytes.fromhex(account.address[2:]),
                keystore=Path(keystore.name),
                password_file=Path(password_file.name),
                functions=_ALLOWED_FUNCTIONS[name],
                **_LIMITS.get(name, {}),
            )
        )
    policy = SignerPolicy(
        chain_id=chain_id,
        rpc_url=SecretStr(rpc_url),
        socket=(socket_path := _socket_path(folder)),
        only_signer=True,
        callers=CallersTable(allow_same_user=True),  # a demo is one user, so nothing protects its throw-away keys from it
        contracts=ContractsTable(
            vault=fund.vault, redemption_manager=fund.redemption_manager, asset_controller=fund.asset_controller
        ),
        keys=tuple(keys),
        caps=_CAPS,
        plan_signers=(
            *(
                PlanSignerTable(name=name, address=parse_address(address), **_PERSON_LIMITS)
                for name, address in plan_signers.items()
            ),
            PlanSignerTable(name=PLANNER, address=parse_address(planner), **_PLANNER_LIMITS),
        ),
        safes=() if safes is None else _safe_tables(safes),
    )
    write_policy(folder / "policy.toml", policy)
    if not (ledger := folder / policy.ledger).exists():
        with Ledger.open(ledger, counter=folder / policy.counter, new=True):
            pass
    return socket_path


def write_keystore(folder: Path, name: str, account: LocalAccount) -> tuple[Path, Path]:
    """Write the account's keystore and its password, unless they are there, and return their paths."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    password_file, keystore = folder / f"{name}.password", folder / f"{name}.json"
    if not password_file.exists():
        write_private_file(password_file, load_or_create_passwords(folder / "passwords.json", [name])[name])
    if not keystore.exists():
        create_keystore(keystore, password_file, bytes(account.key), scrypt_cost=_SCRYPT_COST)
    return keystore, password_file


def _safe_tables(safes: SafeDeployment) -> tuple[SafeTable, ...]:
    """Return what the keeper may execute for each Safe: for the cold one, any call of the fund's contracts."""
    return (
        SafeTable(name="warm", address=parse_address(safes.warm), functions=SAFE_MONEY_FUNCTIONS, **_WARM_LIMITS),
        SafeTable(name="cold", address=parse_address(safes.cold)),
    )


def _socket_path(folder: Path) -> Path:
    """Return a path in the folder, or in a short private folder when the folder's path is too long for a socket."""
    preferred_path = folder / "signer.sock"
    if len(str(preferred_path).encode()) <= _SOCKET_PATH_MAX:
        return preferred_path
    short = Path(tempfile.gettempdir()) / f"paimon-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
    short.mkdir(mode=0o700, exist_ok=True)
    return short / "signer.sock"
