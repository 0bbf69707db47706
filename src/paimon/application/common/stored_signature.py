"""Who signed a stored action. A row proves nothing: the signature does, over a document that is built here again."""

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.eip712 import SignatureTerms, SigningScope
from paimon.domain.kernel.signed_action import ActionContent

_REMEMBERED: Final = 4_000
"""Documents whose signature is verified once in a process; the document and the signature are the key."""


@dataclass(frozen=True, slots=True)
class StoredAction:
    """What a row has of a signed action. Whether anyone signed it is still to be verified."""

    terms: SignatureTerms | None
    statement: str | None
    reason: str | None
    signature: bytes


def find_signer(stored: StoredAction, content: ActionContent, scope: SigningScope) -> Address | None:
    """Return the wallet whose key signed that exactly this happens, or None.

    Action, resource, amount and effect are those of `content`. The statement and the reason are for the signer's eyes, so they
    are taken as they were signed.
    """
    if stored.terms is None or stored.statement is None or stored.reason is None:
        return None
    signed = replace(content, statement=stored.statement)
    return recover_signer(signed.document(stored.reason, stored.terms, scope), stored.signature)


def recover_signer(document: dict[str, Any], signature: bytes) -> Address | None:
    """Return the wallet whose key signed this document, or None for no valid signature."""
    return _recover(json.dumps(document), signature)


@lru_cache(maxsize=_REMEMBERED)
def _recover(document: str, signature: bytes) -> Address | None:
    # Here, because the library takes half a second to load, and a database without signed rows needs none of it.
    from paimon.infrastructure.keys.signatures import MalformedSignature, recover_typed

    try:
        return recover_typed(json.loads(document), signature)
    except MalformedSignature:
        return None
