"""The demo's accounts: wallets derived from one mnemonic in the data folder.

They stand for persons with wallets of their own. The application never holds their keys. Only `paimon demo …` signs with them,
and then uses REST and the chain as any client does.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress

from paimon.domain.user.roles import PERMISSIONS, Permission, UserRole
from paimon_devkit.stack.errors import DemoError
from paimon_devkit.stack.fund_deployment import FundAccounts
from paimon_devkit.stack.safe_deployment import SafeOwners
from paimon_devkit.stack.secret_files import write_private_file

Account.enable_unaudited_hdwallet_features()

INVESTORS: Final = ("ines", "ivan", "isla", "ilja", "inga")
APPROVERS: Final = ("vera", "viktor")
ADMIN: Final = "ada"
PLANNER: Final = "planner"
"""The account of the process `paimon planner`, which signs the fund's own plans."""

USER_ROLES: Final[dict[str, UserRole]] = {
    ADMIN: UserRole.SUPER_ADMIN,
    "vera": UserRole.ADMIN,
    "viktor": UserRole.ADMIN,
    "otto": UserRole.OPERATOR,
    "willa": UserRole.VIEWER,
}
"""Roles of the accounts that may sign in. On chain, ada is the fund's admin; vera and viktor hold VIP_APPROVER_ROLE."""

PLANNERS: Final = tuple(name for name, role in USER_ROLES.items() if role.includes(PERMISSIONS[Permission.EXECUTE_PLAN].role))
"""Accounts that may make plans."""

SAFE_OWNERS: Final = {"warm": ("ada", "vera", "viktor"), "cold": ("ada", "vera", "viktor", "otto", "willa")}
"""The people whose signatures the demo's Safes need. Only an admin submits them, also those of others."""

_ACCOUNT_NAMES: Final = (ADMIN, *APPROVERS, "otto", "willa", *INVESTORS, "keeper", "approver", "hot", PLANNER)


class UnknownAccount(DemoError):
    """The demo has no account of this name."""


@dataclass(frozen=True, slots=True)
class DemoAccounts:
    """Every account by name: persons, investors, and the wallets whose keys go to the signer."""

    by_name: dict[str, LocalAccount]

    @classmethod
    def of(cls, mnemonic: str) -> Self:
        """Derive all accounts from a mnemonic."""
        paths = {name: f"m/44'/60'/0'/0/{index}" for index, name in enumerate(_ACCOUNT_NAMES)}
        return cls({name: Account.from_mnemonic(mnemonic, account_path=path) for name, path in paths.items()})

    @classmethod
    def load_or_create(cls, path: Path) -> Self:
        """Return the accounts of the mnemonic at `path` (mode 0600). The first start creates it."""
        if not path.exists():
            _, mnemonic = Account.create_with_mnemonic()
            write_private_file(path, mnemonic)
        return cls.of(path.read_text().strip())

    def account(self, name: str) -> LocalAccount:
        """Return the account of this name. Raises UnknownAccount with the names there are."""
        if name not in self.by_name:
            raise UnknownAccount(f"no account is called {name!r}; there are {', '.join(_ACCOUNT_NAMES)}")
        return self.by_name[name]

    def address(self, name: str) -> ChecksumAddress:
        return self.account(name).address

    def wallet_json(self, chain_id: int) -> str:
        """Encode the accounts that may sign in, with their keys, for the demo wallet of the console."""
        people = [
            {"name": name, "role": str(role), "address": self.address(name), "key": "0x" + bytes(self.account(name).key).hex()}
            for name, role in USER_ROLES.items()
        ]
        return json.dumps({"chainId": chain_id, "accounts": people})

    def safe_owners(self) -> SafeOwners:
        """Return the owners of the demo's Safes."""
        return SafeOwners(*(tuple(self.address(name) for name in SAFE_OWNERS[safe]) for safe in ("warm", "cold")))

    def fund_accounts(self) -> FundAccounts:
        """Return the accounts that take part in the fund on chain."""
        return FundAccounts(
            deployer=self.account(ADMIN),
            approvers=tuple(self.account(name) for name in APPROVERS),
            investors=tuple(self.account(name) for name in INVESTORS),
            approver_key=self.address("approver"),
            keeper=self.address("keeper"),
            hot=self.address("hot"),
        )
