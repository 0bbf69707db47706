"""A person at a terminal signs with their own keystore: the same document that a wallet with a screen would show.

The key is opened for one command and never kept. Who signs must be somebody who may sign in here; what they may do is for the
use case to say, as it is for the API.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from paimon.application.common.idempotency import PayloadConflict
from paimon.application.common.signed_action import NonceUsed, SignerMismatch
from paimon.application.identity.users import NotPermitted, find_user
from paimon.application.transactions.multisig.context import SafeNotConfigured
from paimon.application.transactions.multisig.propose import HashMismatch, ProposalConflict
from paimon.application.transactions.operator.queries import IntentNotFound, WalletNotFound
from paimon.application.transactions.plans.calls import InvalidPlan
from paimon.application.transactions.plans.queries import PlanNotFound
from paimon.application.transactions.plans.submit import NoWalletEligible, PlanDrifted, PlanNotPossible
from paimon.composition import AppContext
from paimon.domain.kernel.chain import checksum, hex0x
from paimon.domain.kernel.eip712 import InvalidExpiry
from paimon.domain.transaction.operator_action import ActionNotPossible
from paimon.domain.transaction.safe_proposal import IncompleteExecutions
from paimon.domain.user.roles import User
from paimon.gateway.cli.process import exit_on_error, exit_with_message
from paimon.infrastructure.keys.keystore import KeystoreError, load_key
from paimon.infrastructure.keys.local_key import LocalKey
from paimon.infrastructure.keys.signatures import typed_digest

KeystoreOption = Annotated[Path, typer.Option(help="Your own key, encrypted (Web3 Secret Storage), mode 0600.")]
PasswordOption = Annotated[Path, typer.Option(help="The file with its password, mode 0600.")]
ReasonOption = Annotated[str, typer.Option(help="Why, for whoever reads of it later.")]

_USE_CASE_ERRORS = (
    InvalidPlan,
    ActionNotPossible,
    HashMismatch,
    IntentNotFound,
    KeystoreError,
    IncompleteExecutions,
    SafeNotConfigured,
    NoWalletEligible,
    NonceUsed,
    NotPermitted,
    PayloadConflict,
    PlanDrifted,
    PlanNotFound,
    PlanNotPossible,
    ProposalConflict,
    SignerMismatch,
    InvalidExpiry,
    WalletNotFound,
)
"""What a use case answers, in words for whoever asked."""


@contextmanager
def exit_on_use_case_error() -> Iterator[None]:
    """Turn what is wrong into its sentence and exit code 2."""
    with exit_on_error():
        try:
            yield
        except _USE_CASE_ERRORS as error:
            exit_with_message(str(error))


@dataclass(frozen=True, slots=True)
class KeystoreSigner:
    """Who signs, and with what."""

    user: User
    key: LocalKey

    async def sign(self, document: dict[str, Any]) -> str:
        """0x-hex of 65 bytes over an EIP-712 document."""
        signature = await self.key.sign_digest(typed_digest(document))
        return hex0x(signature.message_bytes)


async def load_signer(app_context: AppContext, keystore: Path, password_file: Path) -> KeystoreSigner:
    """Raises KeystoreError, NotPermitted."""
    key = load_key(keystore, password_file)
    async with app_context.database.read() as session:
        user = await find_user(session, key.address)
    if user is None:
        raise NotPermitted(f"nobody may sign in here with {checksum(key.address)}: `paimon users add` adds a wallet")
    return KeystoreSigner(user, key)
