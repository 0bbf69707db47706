"""Sign proposed actions in tests, as a user's wallet does."""

from datetime import UTC, datetime

from eth_account.signers.local import LocalAccount

from paimon.application.common.signed_action import ProposedAction, SignedAction
from paimon.application.common.signing_rules import SigningRules
from paimon.application.identity.accept_action import SignedRequest
from paimon.domain.user.roles import User


def sign_proposed(
    proposed: ProposedAction, user: User, account: LocalAccount, rules: SigningRules, *, reason: str = "a test"
) -> SignedRequest:
    """Return the user's request to do exactly what is proposed, signed now with fresh terms."""
    terms = rules.new_terms(datetime.now(UTC))
    document = proposed.content.document(reason, terms, rules.scope)
    signature = bytes(account.sign_typed_data(full_message=document).signature)
    return SignedRequest(user, reason, SignedAction(terms, "0x" + signature.hex()))
