"""Sign an operator's typed data at the terminal, with the operator's own keystore.

The document is the one that a wallet with a screen would show. The key is opened for one command and never kept. The signer
must be a user of this system. What the user may do is decided by the use case, as for the API.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from paimon.application.common.signed_action import ProposedAction, SignedAction
from paimon.application.identity.accept_action import SignedRequest
from paimon.application.identity.permissions import NotPermitted
from paimon.application.identity.signed_users import find_user
from paimon.composition import AppContext
from paimon.domain.kernel.chain import checksum, hex0x
from paimon.domain.kernel.eip712 import SignatureTerms
from paimon.domain.user.roles import User
from paimon.gateway.cli.process import exit_with_message
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.keys.key import Key
from paimon.infrastructure.keys.keystore import KeystoreError, load_key
from paimon.infrastructure.keys.local_key import LocalKey
from paimon.infrastructure.keys.signatures import typed_digest

KeystoreOption = Annotated[
    Path, typer.Option(help="The file with your own key, encrypted (Web3 Secret Storage), of mode 0600.")
]
PasswordOption = Annotated[Path, typer.Option(help="The file with the keystore's password, of mode 0600.")]
ReasonOption = Annotated[str, typer.Option(help="The reason. You sign it, and it is kept.")]


@dataclass(frozen=True, slots=True)
class DocumentSigner:
    """A user with the key they sign with."""

    user: User
    key: Key

    async def sign(self, document: dict[str, Any], terms: SignatureTerms) -> SignedAction:
        """Sign an EIP-712 document that was built with these terms."""
        return await sign_document(self.key, document, terms)


async def sign_action(
    app_context: AppContext, proposed: ProposedAction, *, keystore: Path, password_file: Path, reason: str
) -> SignedRequest:
    """Sign a proposed action with the keystore. Raises NotPermitted when the key's address is not a user's."""
    if not reason.strip():
        exit_with_message("--reason is empty: give the reason; you sign it, and it is kept")
    signer, rules = await load_signer(app_context, keystore, password_file), app_context.signing_rules
    async with app_context.database.read() as session:
        terms = rules.new_terms(await database_now(session))
    document = proposed.content.document(reason, terms, rules.scope)
    return SignedRequest(signer.user, reason, await signer.sign(document, terms))


async def sign_document(key: Key, document: dict[str, Any], terms: SignatureTerms) -> SignedAction:
    """Sign an EIP-712 document that was built with these terms."""
    signature = await key.sign_digest(typed_digest(document))
    return SignedAction(terms, hex0x(signature.message_bytes))


def open_keystore(keystore: Path, password_file: Path) -> LocalKey:
    """Open the keystore, or end the command with what is wrong."""
    try:
        return load_key(keystore, password_file)
    except KeystoreError as error:
        exit_with_message(str(error))


async def load_signer(app_context: AppContext, keystore: Path, password_file: Path) -> DocumentSigner:
    """Open the keystore and find its user. Raises NotPermitted when the key's address is not a user's."""
    key = open_keystore(keystore, password_file)
    async with app_context.database.read() as session:
        user = await find_user(session, key.address, app_context.signing_rules.scope)
    if user is None:
        raise NotPermitted(f"{checksum(key.address)} is not a user: `paimon users add` adds one")
    return DocumentSigner(user, key)
