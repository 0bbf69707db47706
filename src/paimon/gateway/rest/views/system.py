"""JSON shapes of the system's health and settings. They contain no secret and no address of a server of the system."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field
from pydantic.alias_generators import to_camel

from paimon.application.monitoring.health import HealthReport
from paimon.domain.operations.health import ComponentHealth, HealthStatus
from paimon.domain.transaction.signing import GasFeeType
from paimon.gateway.rest.schema import AddressText, ApiModel, BigInt
from paimon.gateway.views.health import health_details
from paimon.settings import Settings, WalletLimitSettings


class ComponentHealthView(ApiModel):
    name: str
    status: HealthStatus
    summary: str
    details: dict[str, Any]

    @classmethod
    def of(cls, component: ComponentHealth) -> Self:
        return cls(
            name=component.name, status=component.status, summary=component.summary, details=health_details(component.details)
        )


class HealthView(ApiModel):
    """DOWN when nothing can be served, DEGRADED when a component is not OK."""

    status: HealthStatus
    components: list[ComponentHealthView]

    @classmethod
    def of(cls, health: HealthReport) -> Self:
        return cls(status=health.status, components=[ComponentHealthView.of(component) for component in health.components])


class ContractsView(ApiModel):
    vault: AddressText
    redemption_manager: AddressText
    asset_controller: AddressText
    start_block: int


class ApprovalView(ApiModel):
    """Limits of approvals. Who approves what is the approval policy: `GET /policy`."""

    vote_ttl_seconds_max: int
    redemption_deadline_seconds_max: int
    seen_within_seconds: int = Field(description="for how long after their last request a signer counts as present")


class WalletLimitsView(ApiModel):
    """Limits of a wallet, in whole units of the vault's asset. The signer enforces limits of its own."""

    plan: int
    day: int

    @classmethod
    def of(cls, limits: WalletLimitSettings) -> Self:
        return cls(**limits.model_dump())


class SendingView(ApiModel):
    keeper: AddressText
    approver: AddressText
    hot: AddressText | None
    warm: AddressText | None
    cold: AddressText | None
    hot_limits: WalletLimitsView
    warm_limits: WalletLimitsView
    hot_plan_ttl_seconds: int
    proposal_ttl_days: int
    low_balance_wei: dict[str, BigInt]
    public_fallback: bool
    private_wait_blocks: int
    gas_fee_type: GasFeeType
    max_fee_wei: BigInt
    fee_bump_bps: int
    stuck_seconds: int
    attempts_max: int


class LimitsView(ApiModel):
    page_size_default: int
    page_size_max: int
    body_bytes_max: int
    csv_rows_max: int
    access_token_ttl_seconds: int
    ws_queue_max: int


class ConfigView(ApiModel):
    """The settings in effect, without secrets."""

    chain_id: int
    explorer_url: str | None = Field(description="a block explorer, with addresses at /address/… and transactions at /tx/…")
    contracts: ContractsView
    approval: ApprovalView
    sending: SendingView
    limits: LimitsView
    schedule_seconds: dict[str, float]
    health_limits: dict[str, float]

    @classmethod
    def of(cls, settings: Settings) -> Self:
        fund, approval, sending, api = settings.fund, settings.approval, settings.sending, settings.api
        return cls(
            chain_id=settings.chain.chain_id,
            explorer_url=settings.console.explorer_url and settings.console.explorer_url.rstrip("/"),
            contracts=ContractsView(
                vault=fund.vault,
                redemption_manager=fund.redemption_manager,
                asset_controller=fund.asset_controller,
                start_block=fund.start_block,
            ),
            approval=ApprovalView(**approval.model_dump()),
            sending=SendingView(
                keeper=sending.keeper,
                approver=sending.approver,
                hot=sending.hot,
                warm=sending.warm,
                cold=sending.cold,
                hot_limits=WalletLimitsView.of(sending.hot_limits),
                warm_limits=WalletLimitsView.of(sending.warm_limits),
                hot_plan_ttl_seconds=sending.hot_plan_ttl_seconds,
                proposal_ttl_days=sending.proposal_ttl_days,
                low_balance_wei=sending.low_balance_wei.model_dump(),
                public_fallback=sending.public_fallback,
                private_wait_blocks=sending.private_wait_blocks,
                gas_fee_type=sending.gas_fee_type,
                max_fee_wei=sending.max_fee_wei,
                fee_bump_bps=sending.fee_bump_bps,
                stuck_seconds=sending.stuck_seconds,
                attempts_max=sending.attempts_max,
            ),
            limits=LimitsView(
                page_size_default=api.page_size_default,
                page_size_max=api.page_size_max,
                body_bytes_max=api.body_bytes_max,
                csv_rows_max=api.csv_rows_max,
                access_token_ttl_seconds=settings.auth.access_token_ttl_seconds,
                ws_queue_max=api.ws_queue_max,
            ),
            schedule_seconds={to_camel(name): value for name, value in _without_unit(settings.schedule.model_dump()).items()},
            health_limits={to_camel(name): value for name, value in settings.health.model_dump().items()},
        )


def _without_unit(values: Mapping[str, float]) -> dict[str, float]:
    return {name.removesuffix("_seconds"): value for name, value in values.items()}
