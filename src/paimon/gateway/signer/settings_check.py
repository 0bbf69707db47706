"""Compare the application's settings with the signer's policy. Where they differ, the signer refuses what the others send."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from paimon.domain.kernel.chain import Address, checksum
from paimon.gateway.signer.policy import SignerPolicy
from paimon.gateway.signer.policy_tables import MONEY_FUNCTIONS, SignableFunction
from paimon.gateway.signer.signature_age import EXPIRY_AHEAD_MAX
from paimon.settings import ApprovalSettings, Settings, SignerSettings, WalletLimitSettings

_NEEDED_FUNCTIONS: Final[Mapping[str, frozenset[SignableFunction]]] = {
    "keeper": frozenset({SignableFunction.SETTLE, SignableFunction.SETTLE_SCHEDULED}),
    "approver": frozenset({SignableFunction.APPROVE, SignableFunction.REJECT}),
    "hot": MONEY_FUNCTIONS,
}
"""What each wallet with a key of its own sends."""


def find_differences(settings: Settings, policy: SignerPolicy) -> Iterator[str]:
    """Yield one sentence for each difference: the variable, what it says, and what the policy says."""
    if settings.chain.chain_id != policy.chain_id:
        yield f"PAIMON_CHAIN__CHAIN_ID is {settings.chain.chain_id}, the policy's chain_id {policy.chain_id}"
    yield from _contract_differences(settings, policy)
    yield from _key_differences(settings, policy)
    for name in ("warm", "cold"):
        address: Address | None = getattr(settings.sending, name)
        if address is not None and policy.safe(address) is None:
            yield f"PAIMON_SENDING__{name.upper()} is {checksum(address)}, and the policy has no Safe of this address"
    yield from _limit_differences(settings, policy)
    yield from _link_differences(settings.signer, policy)
    yield from _time_differences(settings.approval, policy)


def _limit_differences(settings: Settings, policy: SignerPolicy) -> Iterator[str]:
    """Compare the limits of the hot key, of the planner's plans of it, and of the warm Safe.

    A limit of ours above the signer's lets plans through that the signer refuses. One of the hot key that is below: there the
    signer asks for no approval, and the approval policy is held against ours.
    """
    sending = settings.sending
    key = None if sending.hot is None else policy.key(sending.hot)
    if key is not None:
        theirs = (f"policy's key {key.name}", key.plan_limit, key.day_limit)
        yield from _exceeded_limits("PAIMON_SENDING__HOT_LIMITS", sending.hot_limits, *theirs)
        for name, ours, limit in (
            ("PLAN", sending.hot_limits.plan, key.plan_limit),
            ("DAY", sending.hot_limits.day, key.day_limit),
        ):
            if limit is not None and limit > ours:
                yield (
                    f"PAIMON_SENDING__HOT_LIMITS__{name} is {ours}, the {name.lower()}_limit of the policy's key {key.name} is"
                    f" {limit}: the signer lets it send more than the approval policy was checked for"
                )
    if sending.hot is not None and sending.planner is not None:
        if (signer := policy.plan_signer(sending.planner)) is None:
            yield (
                f"PAIMON_SENDING__PLANNER is {checksum(sending.planner)}, and the policy has no plan signer of this address:"
                " the signer refuses the planner's plans"
            )
        else:
            theirs = (f"policy's plan signer {signer.name}", signer.plan_limit, signer.day_limit)
            yield from _exceeded_limits("PAIMON_PLANNER__LIMITS", settings.planner.limits, *theirs)
    safe = None if sending.warm is None else policy.safe(sending.warm)
    if safe is not None:
        theirs = (f"policy's Safe {safe.name}", safe.plan_limit, safe.day_limit)
        yield from _exceeded_limits("PAIMON_SENDING__WARM_LIMITS", sending.warm_limits, *theirs)


def _exceeded_limits(
    variable: str, ours: WalletLimitSettings, owner: str, plan_limit: int | None, day_limit: int | None
) -> Iterator[str]:
    for name, our_limit, limit in (("PLAN", ours.plan, plan_limit), ("DAY", ours.day, day_limit)):
        if limit is not None and our_limit > limit:
            yield (
                f"{variable}__{name} is {our_limit}, the {name.lower()}_limit of the {owner} is {limit}: the signer refuses"
                " plans that this system makes"
            )


def _time_differences(approval: ApprovalSettings, policy: SignerPolicy) -> Iterator[str]:
    seconds, hours = approval.redemption_deadline_seconds_max, policy.approvals.deadline_hours_max
    if timedelta(seconds=seconds) > timedelta(hours=hours):
        yield (
            f"PAIMON_APPROVAL__REDEMPTION_DEADLINE_SECONDS_MAX is {seconds}, the policy's"
            f" approvals.deadline_hours_max is {hours}"
        )
    if timedelta(seconds=approval.vote_ttl_seconds_max) > EXPIRY_AHEAD_MAX:
        yield (
            f"PAIMON_APPROVAL__VOTE_TTL_SECONDS_MAX is {approval.vote_ttl_seconds_max}, the signer takes signatures that expire"
            f" at most {EXPIRY_AHEAD_MAX.total_seconds():.0f} seconds ahead"
        )


def _link_differences(signer: SignerSettings, policy: SignerPolicy) -> Iterator[str]:
    if signer.socket is not None and signer.socket.absolute() != policy.socket:
        yield f"PAIMON_SIGNER__SOCKET is {signer.socket}, the policy's socket {policy.socket or 'absent'}"
    if signer.url is not None:
        if policy.tls is None:
            yield f"PAIMON_SIGNER__URL is {signer.url}, and the policy has no table [tls]"
        elif urlsplit(signer.url).port != policy.tls.port:
            yield f"PAIMON_SIGNER__URL is {signer.url}, the policy's port {policy.tls.port}"


def _contract_differences(settings: Settings, policy: SignerPolicy) -> Iterator[str]:
    pairs = {
        "PAIMON_FUND__VAULT": (settings.fund.vault, policy.contracts.vault),
        "PAIMON_FUND__REDEMPTION_MANAGER": (settings.fund.redemption_manager, policy.contracts.redemption_manager),
        "PAIMON_FUND__ASSET_CONTROLLER": (settings.fund.asset_controller, policy.contracts.asset_controller),
        "PAIMON_SENDING__MULTI_SEND": (settings.sending.multi_send, policy.contracts.multi_send),
    }
    for variable, (ours, theirs) in pairs.items():
        if ours != theirs:
            yield f"{variable} is {checksum(ours)}, the policy has {checksum(theirs)}"


def _key_differences(settings: Settings, policy: SignerPolicy) -> Iterator[str]:
    for name, needed in _NEEDED_FUNCTIONS.items():
        address: Address | None = getattr(settings.sending, name)
        if address is None:
            continue
        if (key := policy.key(address)) is None:
            yield f"PAIMON_SENDING__{name.upper()} is {checksum(address)}, and the policy has no key of this address"
        elif missing := needed - key.functions:
            yield f"the policy's key {key.name} ({checksum(address)}) may not call {', '.join(sorted(missing))}"
