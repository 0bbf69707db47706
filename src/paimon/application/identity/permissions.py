"""Check what a user may do now: by their role and grants here, and by their roles on chain where a right needs both."""

from collections.abc import Set

from paimon.domain.kernel.chain import checksum
from paimon.domain.user.roles import PERMISSIONS, ChainRole, Permission, User
from paimon.errors import Forbidden


class NotPermitted(Forbidden):
    """The user's role does not allow this."""


class NotFromHere(Forbidden):
    """People with an administrator's right are not served at this address."""


def require_permission(user: User, permission: Permission, held: Set[ChainRole] = frozenset()) -> None:
    """Refuse a user who lacks a right; the error says what is missing.

    `held` are the user's roles on chain. Without them, a right that needs one is refused, so that a caller cannot forget it.

    Raises:
        NotPermitted
    """
    if faults := "; ".join(user.faults(permission, held)):
        raise NotPermitted(f"{checksum(user.address)} may not {PERMISSIONS[permission].meaning}: {faults}")
