"""The people of the demo: wallets derived from one mnemonic that lives in the data folder.

They stand for persons with wallets of their own. The house never holds their keys; only `paimon demo …` signs as them,
and then goes through REST and the chain like anyone.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress

from paimon.domain.user.roles import UserRole
from paimon_devkit.stack.errors import DemoError
from paimon_devkit.stack.fund_deployment import FundAccounts
from paimon_devkit.stack.secret_files import write_private_file

Account.enable_unaudited_hdwallet_features()

INVESTORS: Final = ("ines", "ivan", "isla", "ilja", "inga")
APPROVERS: Final = ("vera", "viktor")
ADMIN: Final = "ada"

USER_ROLES: Final[dict[str, UserRole]] = {
    ADMIN: UserRole.SUPER_ADMIN,
    "vera": UserRole.ADMIN,
    "viktor": UserRole.ADMIN,
    "otto": UserRole.OPERATOR,
    "willa": UserRole.VIEWER,
}
"""Who may sign in, and as what. Ada is also the fund's admin on chain; Vera and Viktor hold VIP_APPROVER_ROLE there."""

_ACCOUNT_NAMES: Final = (ADMIN, *APPROVERS, "otto", "willa", *INVESTORS, "keeper", "approver", "hot")


class UnknownAccount(DemoError):
    """The demo has nobody of that name."""


@dataclass(frozen=True, slots=True)
class DemoAccounts:
    """Everyone's account by name, and those of the services, whose keys go to the signer."""

    by_name: dict[str, LocalAccount]

    @classmethod
    def of(cls, mnemonic: str) -> Self:
        return cls({
            name: Account.from_mnemonic(mnemonic, account_path=f"m/44'/60'/0'/0/{index}") for index, name in enumerate(_ACCOUNT_NAMES)
        })  # fmt: skip

    @classmethod
    def load_or_create(cls, path: Path) -> Self:
        """The people of this data folder: their mnemonic is made up at the first start and kept (mode 0600)."""
        if not path.exists():
            _, mnemonic = Account.create_with_mnemonic()
            write_private_file(path, mnemonic)
        return cls.of(path.read_text().strip())

    def account(self, name: str) -> LocalAccount:
        """Raises UnknownAccount, naming who there is."""
        if name not in self.by_name:
            raise UnknownAccount(f"nobody is called {name!r} here; there are {', '.join(_ACCOUNT_NAMES)}")
        return self.by_name[name]

    def address(self, name: str) -> ChecksumAddress:
        return self.account(name).address

    def fund_accounts(self) -> FundAccounts:
        """What the deployer needs to know of them."""
        return FundAccounts(
            deployer=self.account(ADMIN),
            approvers=tuple(self.account(name) for name in APPROVERS),
            investors=tuple(self.account(name) for name in INVESTORS),
            approver_key=self.address("approver"),
            keeper=self.address("keeper"),
            hot=self.address("hot"),
        )
