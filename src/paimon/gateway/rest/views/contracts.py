"""JSON shapes of the deployment: what the fund's contracts are, what they can do, and what is not understood of them."""

from typing import Self

from pydantic import Field

from paimon.application.deployment.queries import ExaminedDeployment, UnknownLogs
from paimon.domain.deployment.capability import Capability
from paimon.domain.deployment.contract_facts import ContractFacts, FoundCapability, FunctionState
from paimon.domain.kernel.chain import ContractName, hex0x
from paimon.gateway.rest.envelope import BlockStampView, Dated
from paimon.gateway.rest.schema import AddressText, ApiModel, HashText


class ContractFunctionView(ApiModel):
    signature: str
    state: FunctionState = Field(
        description="REVERTS: the code has it and it failed at this block; OTHER_SHAPE: its result does not decode;"
        " UNKNOWN: the code does not show its functions"
    )


class ContractFactsView(ApiModel):
    """One contract: its code, its proxy, and the state of each function that a capability needs."""

    contract: ContractName
    address: AddressText
    code_hash: HashText = Field(description="keccak256 of the code that runs: the implementation's behind a proxy")
    implementation: AddressText | None = Field(description="null for a contract that is no proxy")
    admin: AddressText | None = Field(description="the proxy's administrator, where it has one")
    functions: list[ContractFunctionView]
    unknown_selectors: list[str] = Field(description="functions of the code that no ABI of this system has")

    @classmethod
    def of(cls, facts: ContractFacts) -> Self:
        return cls(
            contract=facts.contract,
            address=facts.address,
            code_hash=facts.code_hash,
            implementation=facts.implementation,
            admin=facts.admin,
            functions=[ContractFunctionView(signature=signature, state=state) for signature, state in facts.functions.items()],
            unknown_selectors=[hex0x(selector) for selector in facts.unknown_selectors],
        )


class CapabilityView(ApiModel):
    """One capability of the deployment."""

    capability: Capability
    is_present: bool
    is_required: bool = Field(description="without it the fund cannot be valued")
    missing: list[str] = Field(description="functions that it needs and that cannot be used, with their state")
    switched_off: str | None = Field(description="what does not happen without it; null for a capability that is there")

    @classmethod
    def of(cls, found: FoundCapability) -> Self:
        return cls(
            capability=found.capability,
            is_present=found.is_present,
            is_required=found.is_required,
            missing=[str(function) for function in found.missing],
            switched_off=found.switched_off,
        )


class UnknownLogsView(ApiModel):
    """Logs that are recorded and that no ABI of their contract explains."""

    contract: ContractName
    address: AddressText
    topic: HashText | None = Field(description="the first topic; null for logs without one")
    signature: str | None = Field(description="of a well-known event with this topic")
    count: int
    last_block: int

    @classmethod
    def of(cls, logs: UnknownLogs) -> Self:
        return cls(
            contract=logs.contract,
            address=logs.address,
            topic=logs.topic,
            signature=logs.signature,
            count=logs.count,
            last_block=logs.last_block,
        )


class DeploymentView(Dated):
    """What the fund's contracts were last found to be."""

    contracts: list[ContractFactsView]
    capabilities: list[CapabilityView]
    unknown_logs: list[UnknownLogsView]

    @classmethod
    def of(cls, examined: ExaminedDeployment) -> Self:
        deployment = examined.deployment
        return cls(
            as_of=BlockStampView.of(deployment.at),
            contracts=[ContractFactsView.of(facts) for facts in deployment.contracts],
            capabilities=[CapabilityView.of(found) for found in deployment.capabilities],
            unknown_logs=[UnknownLogsView.of(logs) for logs in examined.unknown_logs],
        )
