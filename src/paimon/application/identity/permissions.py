"""Check what a signed-in user may do."""

from paimon.domain.kernel.chain import checksum
from paimon.domain.user.roles import REQUIRED_ROLE, Permission, User
from paimon.errors import Forbidden


class NotPermitted(Forbidden):
    """The user's role does not allow this."""


def require_permission(user: User, permission: Permission) -> None:
    """Refuse a user whose role is too low; the error names the role that is needed.

    Raises:
        NotPermitted
    """
    if not user.may(permission):
        raise NotPermitted(f"this needs the role {REQUIRED_ROLE[permission]} or above; {checksum(user.address)} is {user.role}")
