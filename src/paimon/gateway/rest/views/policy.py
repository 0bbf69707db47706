"""JSON shapes of the approval policy: its rules, versions and drafts, and the dry run."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any, Final, Self

from pydantic import Field, PlainSerializer, StringConstraints

from paimon.application.approval_policy.publications import PublishedPolicy
from paimon.application.approval_policy.store import PolicyDraft
from paimon.domain.approval.policy import (
    NONE,
    ApprovalPolicy,
    ApproverRole,
    AtDeadline,
    Initiator,
    Operation,
    OperationKind,
    PolicyRule,
    RuleVerdict,
)
from paimon.domain.approval.policy_check import PolicyFault, PolicyFinding
from paimon.domain.approval.policy_document import RULES_MAX, policy_document
from paimon.domain.approval.ticket import TicketType
from paimon.gateway.rest.schema import AddressText, ApiModel, Time
from paimon.gateway.rest.validation_messages import ONE_LINE

_LISTED_MAX: Final = 50
AmountText = Annotated[str, StringConstraints(max_length=60, pattern=r"^[0-9]+(\.[0-9]+)?$")]
"""An amount in whole units of the vault's asset."""
Name = Annotated[str, StringConstraints(min_length=1, max_length=60)]
Title = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=ONE_LINE)]
_Listed = Field(None, min_length=1, max_length=_LISTED_MAX)


class AmountModel(ApiModel):
    """A range of amounts: one of `minimum` and `over`, one of `below` and `maximum`, or one of each."""

    minimum: AmountText | None = None
    over: AmountText | None = None
    below: AmountText | None = None
    maximum: AmountText | None = None


class WhenModel(ApiModel):
    """What a rule matches. A member that is left out matches everything."""

    kinds: list[OperationKind] | None = _Listed
    initiators: list[Initiator] | None = _Listed
    sources: list[Name] | None = Field(None, min_length=1, max_length=_LISTED_MAX, description="hot, warm, cold or approver")
    destinations: list[Name] | None = Field(
        None, min_length=1, max_length=_LISTED_MAX, description="addresses that receive something, or `none`"
    )
    assets: list[Name] | None = Field(None, min_length=1, max_length=_LISTED_MAX, description="tokens, or `none`")
    contracts: list[Name] | None = _Listed
    methods: list[Name] | None = _Listed
    amount: AmountModel | None = Field(None, description="what the whole plan moves")
    amount_24h: AmountModel | None = Field(None, alias="amount24h", description="what the source moves in 24 hours, with this")


class ApproverGroupModel(ApiModel):
    """A number of approvals from people of a role, or from named people."""

    count: int = Field(ge=1, le=_LISTED_MAX)
    whom: ApproverRole | list[AddressText] = Field(alias="from")


class SlaModel(ApiModel):
    warn_seconds: int = Field(ge=1)
    escalate_seconds: int = Field(ge=1)
    deadline_seconds: int = Field(ge=1)
    at_deadline: AtDeadline = AtDeadline.ALERT


class RuleModel(ApiModel):
    """A rule. `ticket`, `approvals` and `sla` belong to one that needs approvals, `isReviewed` to one that allows."""

    name: Name
    verdict: RuleVerdict
    when: WhenModel = WhenModel()
    ticket: TicketType | None = None
    approvals: list[list[ApproverGroupModel]] | None = Field(
        None,
        max_length=_LISTED_MAX,
        description="options; of one option every group approves, and a person counts in one group",
    )
    sla: SlaModel | None = None
    is_reviewed: bool = Field(False, description="whether a person looks at it afterwards")


def _sparse(rule: RuleModel) -> dict[str, Any]:
    """Return a rule without the members that it leaves out, as people write it."""
    return rule.model_dump(mode="json", by_alias=True, exclude_none=True)


# A lambda has no return type, so the schema of the response stays that of the rule.
SparseRule = Annotated[RuleModel, PlainSerializer(lambda rule: _sparse(rule))]


class DraftBody(ApiModel):
    """A draft of the next version: all of its rules, in their order."""

    title: Title
    rules: list[RuleModel] = Field(min_length=1, max_length=RULES_MAX)

    @property
    def document(self) -> dict[str, Any]:
        """Return the document that the policy is read from."""
        return {"rules": [_sparse(rule) for rule in self.rules]}


def _rules(policy: ApprovalPolicy) -> list[RuleModel]:
    return [RuleModel.model_validate(rule) for rule in policy_document(policy)["rules"]]


class PolicyView(ApiModel):
    """A version. The first rule that matches decides; what no rule matches is blocked."""

    version: int
    reason: str
    published_at: Time
    published_by: AddressText | None = Field(description="null for version 1, which came with the database")
    rules: list[SparseRule]

    @classmethod
    def of(cls, published: PublishedPolicy) -> Self:
        return cls(**_publication(published), rules=_rules(published.policy))


class PolicyVersionView(ApiModel):
    """When a version was published, by whom and why."""

    version: int
    reason: str
    published_at: Time
    published_by: AddressText | None

    @classmethod
    def of(cls, published: PublishedPolicy) -> Self:
        return cls(**_publication(published))


def _publication(published: PublishedPolicy) -> dict[str, Any]:
    return {
        "version": published.policy.version,
        "reason": published.reason,
        "published_at": published.published_at,
        "published_by": published.published_by,
    }


class PolicyVersionsView(ApiModel):
    items: list[PolicyVersionView]

    @classmethod
    def of(cls, versions: Iterable[PublishedPolicy]) -> Self:
        return cls(items=[PolicyVersionView.of(version) for version in versions])


class PolicyFindingView(ApiModel):
    """One fault of a draft. It is not published before it has none."""

    fault: PolicyFault
    rules: list[str]
    message: str

    @classmethod
    def of(cls, finding: PolicyFinding) -> Self:
        return cls(fault=finding.fault, rules=list(finding.rules), message=finding.message)


class PolicyDraftView(ApiModel):
    """A draft with its faults. `version` is the one that it would become."""

    id: int
    version: int
    title: str
    changed_by: AddressText
    changed_at: Time
    is_outdated: bool = Field(description="whether another version was published since")
    findings: list[PolicyFindingView]
    rules: list[SparseRule]

    @classmethod
    def of(cls, draft: PolicyDraft, current: int, findings: Iterable[PolicyFinding]) -> Self:
        return cls(
            id=draft.id,
            version=draft.policy.version,
            title=draft.title,
            changed_by=draft.changed_by,
            changed_at=draft.changed_at,
            is_outdated=draft.based_on != current,
            findings=[PolicyFindingView.of(finding) for finding in findings],
            rules=_rules(draft.policy),
        )


class PolicyDraftsView(ApiModel):
    """Every draft, the last changed first."""

    items: list[PolicyDraftView]


class DraftRemovedView(ApiModel):
    id: int


class PolicyDryRunBody(ApiModel):
    """One operation. `draftId`: by this draft; without it, by the version in force."""

    kind: OperationKind
    initiator: Initiator
    source: Name = Field(description="hot, warm, cold or approver")
    contract: Name
    method: Name
    amount: AmountText = "0"
    amount_24h: AmountText | None = Field(None, alias="amount24h", description="`amount` unless given")
    asset: Name = NONE
    destination: Name = NONE
    draft_id: int | None = Field(None, ge=1)

    @property
    def operation(self) -> Operation:
        amount = Decimal(self.amount)
        return Operation(
            kind=self.kind,
            initiator=self.initiator,
            source=self.source,
            contract=self.contract,
            method=self.method,
            amount=amount,
            amount_24h=amount if self.amount_24h is None else Decimal(self.amount_24h),
            asset=self.asset,
            destination=self.destination,
        )


class RuleTraceView(ApiModel):
    """A rule that stands before the deciding one, and the first member of its `when` that does not match."""

    rule: str
    mismatch: str


class PolicyDryRunView(ApiModel):
    """What the policy says of the operation. Nothing is changed."""

    version: int
    verdict: RuleVerdict
    rule: SparseRule | None = Field(description="the rule that decides; null when none does, which blocks the operation")
    explanation: str
    not_matched: list[RuleTraceView]

    @classmethod
    def of(cls, policy: ApprovalPolicy, operation: Operation) -> Self:
        decides = policy.rule_of(operation)
        before = policy.rules if decides is None else policy.rules[: policy.rules.index(decides)]
        return cls(
            version=policy.version,
            verdict=RuleVerdict.BLOCK if decides is None else decides.verdict,
            rule=None if decides is None else RuleModel.model_validate(_rule_of(policy, decides)),
            explanation=explain(decides),
            not_matched=[RuleTraceView(rule=rule.name, mismatch=rule.mismatch(operation) or "") for rule in before],
        )


def _rule_of(policy: ApprovalPolicy, rule: PolicyRule) -> dict[str, Any]:
    document: dict[str, Any] = policy_document(policy)["rules"][policy.rules.index(rule)]
    return document


def explain(rule: PolicyRule | None) -> str:
    """Say in one line what a rule does, and its ticket and deadline."""
    if rule is None:
        return "no rule matches it, so it is blocked"
    text = f"rule {rule.name} {rule.describe()}"
    if rule.ticket is not None and rule.sla is not None:
        text += f", ticket {rule.ticket}, deadline {rule.sla.deadline.total_seconds() / 3600:g} h"
    return text
