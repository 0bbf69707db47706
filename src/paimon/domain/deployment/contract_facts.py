"""What the contracts of a deployment were found to be at one block: proxies, code, functions and capabilities."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from eth_utils.crypto import keccak

from paimon.domain.deployment.capability import CAPABILITIES, DISABLED_BY_ERROR, Capability
from paimon.domain.kernel.chain import Address, BlockStamp, ContractName, Hash32

NO_CODE: Final = Hash32(bytes(keccak(b"")))
"""The hash of the code at an address that holds no contract."""


class FunctionState(StrEnum):
    """What is known of one expected function."""

    PRESENT = "PRESENT"  # the code has it, and it answers where it can be asked
    REVERTS = "REVERTS"  # the code has it, and the question reverted at this block
    OTHER_SHAPE = "OTHER_SHAPE"  # it answers, and with none of the shapes that we know
    ABSENT = "ABSENT"  # the code does not have it
    UNKNOWN = "UNKNOWN"  # the code does not show its functions, and this one cannot be asked without effect


@dataclass(frozen=True, slots=True)
class ContractFacts:
    """One contract at one block.

    `code_hash` is of the code that runs: the implementation's where the contract is a proxy. `admin` is the proxy's, where its
    slot is set. `errors` are those of `DISABLED_BY_ERROR` that the code has. `unknown_selectors` are functions of the code that
    no shipped ABI names.
    """

    contract: ContractName
    address: Address
    code_hash: Hash32
    implementation: Address | None
    admin: Address | None
    functions: Mapping[str, FunctionState]
    errors: frozenset[str] = frozenset()
    unknown_selectors: tuple[bytes, ...] = ()

    @property
    def is_proxy(self) -> bool:
        return self.implementation is not None

    @property
    def identity(self) -> tuple[Address, Hash32, Address | None, Address | None]:
        """Return what makes it this contract: with another identity it is another program, or another may replace it."""
        return self.address, self.code_hash, self.implementation, self.admin

    def state(self, signature: str) -> FunctionState:
        return self.functions.get(signature, FunctionState.UNKNOWN)

    def function_changes(self, before: "ContractFacts") -> tuple[str, ...]:
        """Describe each function whose state is not what it was before."""
        return tuple(
            f"{signature} {was.lower()} → {is_now.lower()}"
            for signature in dict.fromkeys([*before.functions, *self.functions])
            if (was := before.state(signature)) is not (is_now := self.state(signature))
        )


@dataclass(frozen=True, slots=True)
class MissingFunction:
    """A function that a capability needs and that cannot be used."""

    contract: ContractName
    signature: str
    state: FunctionState

    def __str__(self) -> str:
        return f"{self.contract}.{self.signature} ({self.state.lower()})"


@dataclass(frozen=True, slots=True)
class FoundCapability:
    """One capability: whether the deployment has it, and which of its functions it lacks."""

    capability: Capability
    is_present: bool
    missing: tuple[MissingFunction, ...]

    @property
    def switched_off(self) -> str | None:
        """Return what the absence switches off; None for a capability that is there."""
        return None if self.is_present else CAPABILITIES[self.capability].switched_off

    @property
    def is_required(self) -> bool:
        return CAPABILITIES[self.capability].is_required


@dataclass(frozen=True, slots=True)
class Deployment:
    """The fund's contracts at one block."""

    at: BlockStamp
    contracts: tuple[ContractFacts, ...]

    @property
    def is_deployed(self) -> bool:
        """Report whether each contract has code."""
        return all(facts.code_hash != NO_CODE for facts in self.contracts)

    def differs_from(self, before: "Deployment") -> bool:
        """Report whether a contract is another one than before."""
        known = {facts.contract: facts.identity for facts in before.contracts}
        return any(known.get(facts.contract, facts.identity) != facts.identity for facts in self.contracts)

    def find(self, contract: ContractName) -> ContractFacts | None:
        return next((facts for facts in self.contracts if facts.contract is contract), None)

    def state(self, contract: ContractName, signature: str) -> FunctionState:
        """Return what is known of a function; UNKNOWN for a contract that was not examined."""
        facts = self.find(contract)
        return FunctionState.UNKNOWN if facts is None else facts.state(signature)

    def has(self, capability: Capability) -> bool:
        """Report whether a rule may rely on the capability."""
        return self.examine(capability).is_present

    def examine(self, capability: Capability) -> FoundCapability:
        """Return a capability with the functions that it lacks."""
        missing = tuple(
            MissingFunction(contract, signature, state)
            for contract, signatures in CAPABILITIES[capability].functions.items()
            for signature in signatures
            if (state := self.state(contract, signature)) is not FunctionState.PRESENT
        )
        return FoundCapability(capability, not missing and not self._is_disabled(capability), missing)

    def _is_disabled(self, capability: Capability) -> bool:
        if capability not in DISABLED_BY_ERROR:
            return False
        contract, error = DISABLED_BY_ERROR[capability]
        facts = self.find(contract)
        return facts is not None and error in facts.errors

    @property
    def capabilities(self) -> tuple[FoundCapability, ...]:
        return tuple(self.examine(capability) for capability in Capability)

    @property
    def absent(self) -> tuple[FoundCapability, ...]:
        """Return the capabilities that the deployment does not have."""
        return tuple(found for found in self.capabilities if not found.is_present)
