"""Set the profile of an asset: a new version beside those of before, as an administrator signed it."""

from dataclasses import dataclass

import structlog

from paimon.application.assets.store import (
    PERMISSION,
    find_profile,
    insert_profile,
    load_profiles,
    lock_profiles,
    next_version,
    require_asset,
)
from paimon.application.common.signed_action import ProposedAction
from paimon.application.identity.accept_action import SignedRequest, SigningContext, accept_action
from paimon.domain.asset.profile import AssetProfile, RecordedProfile, require_known_spelling, require_valid
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.kernel.eip712 import SigningScope
from paimon.errors import Conflict
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import ReadSession, WriteSession

log = structlog.get_logger(__name__)


class ProfileUnchanged(Conflict):
    """The asset has this profile already."""


@dataclass(frozen=True, slots=True)
class SetProfile:
    """The profile that a person wants for an asset, with the signature over it."""

    token: Address
    profile: AssetProfile
    request: SignedRequest


async def propose_profile(
    session: ReadSession | WriteSession, token: Address, profile: AssetProfile, scope: SigningScope
) -> ProposedAction:
    """Return what a person signs to make this the asset's next profile.

    Raises:
        InvalidProfile, CounterpartySpelling, AssetNotFound.
    """
    return (await _next_profile(session, token, profile, scope))[1]


async def set_profile(command: SetProfile, context: SigningContext) -> RecordedProfile:
    """Record the next version. What is computed from now on uses it.

    Raises:
        InvalidProfile, CounterpartySpelling, AssetNotFound, ProfileUnchanged, MalformedSignature, InvalidExpiry, NonceUsed,
        SignerMismatch, WalletNotRead, NotPermitted, KeySignatureRequired, ActionChanged.
    """
    token, profile, request, scope = command.token, command.profile, command.request, context.rules.scope
    async with context.database.write() as session:
        proposed = await propose_profile(session, token, profile, scope)
    accepted = await accept_action(request, proposed, context)
    async with context.database.write() as session:
        await lock_profiles(session)
        version, proposed = await _next_profile(session, token, profile, scope)
        await accepted.record(session, proposed)
        now, by = await database_now(session), request.user.address
        recorded = RecordedProfile(token, version, profile, request.reason, by, now)
        await insert_profile(session, recorded, accepted.evidence.terms.nonce)
    log.info("asset.profile_set", token=checksum(token), version=version, by=checksum(by))
    return recorded


async def _next_profile(
    session: ReadSession | WriteSession, token: Address, profile: AssetProfile, scope: SigningScope
) -> tuple[int, ProposedAction]:
    require_valid(profile)
    await require_asset(session, token)
    others = (recorded.profile for of, recorded in (await load_profiles(session, scope)).items() if of != token)
    require_known_spelling(profile.counterparty, (other.counterparty for other in others))
    known = await find_profile(session, token, scope)
    version = await next_version(session, token, known)
    rejection = ProfileUnchanged() if known is not None and known.profile == profile else None
    return version, ProposedAction(profile.content(token, version), PERMISSION, rejection, needs_key=True)
