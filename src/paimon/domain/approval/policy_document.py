"""The JSON document of a policy: parsed with errors that name the place, and written in one canonical form.

The canonical form is what is stored, shown and hashed into the signed action of a publication. Two documents of one meaning
have one form.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final, TypeVar

from paimon.domain.approval.matching import AmountRange, Cut, Match, Names
from paimon.domain.approval.policy import (
    ApprovalPolicy,
    Approvals,
    ApproverGroup,
    ApproverRole,
    AtDeadline,
    Initiator,
    OperationKind,
    PolicyRule,
    RuleVerdict,
    Sla,
)
from paimon.domain.approval.ticket import TicketType
from paimon.domain.kernel.chain import Address, InvalidAddress, checksum, parse_address
from paimon.errors import DetailCode, InvalidRequest

RULES_MAX: Final = 100
_NAME_MAX: Final = 60
_LISTED_MAX: Final = 50
_SECONDS_MAX: Final = 366 * 24 * 3600


class InvalidPolicy(InvalidRequest, ValueError):
    """The document is no policy; `field` is the place in it."""

    code = DetailCode.INVALID_POLICY

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


def parse_policy(document: Any, *, version: int) -> ApprovalPolicy:
    """Return the policy of a document.

    Raises:
        InvalidPolicy: the first place that is wrong.
    """
    rules = _list(_members(document, "", ("rules",), required=("rules",))["rules"], "rules", RULES_MAX)
    parsed = tuple(_rule(rule, f"rules.{index}") for index, rule in enumerate(rules))
    names = [rule.name for rule in parsed]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise InvalidPolicy(f"rules.{index}.name", f"two rules are called {name}; a name is given once")
    return ApprovalPolicy(version, parsed)


def policy_document(policy: ApprovalPolicy) -> dict[str, Any]:
    """Return the canonical document of a policy."""
    return {"rules": [_rule_document(rule) for rule in policy.rules]}


def canonical_text(document: Mapping[str, Any]) -> str:
    """Return the one text of a canonical document, which is hashed into the signature of its publication."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


_RULE: Final = ("name", "verdict", "when", "ticket", "approvals", "sla", "isReviewed")


def _rule(value: Any, place: str) -> PolicyRule:
    given = _members(value, place, _RULE, required=("name", "verdict"))
    name = given["name"]
    if not (isinstance(name, str) and 1 <= len(name) <= _NAME_MAX and name.isascii() and name.replace("_", "a").isalnum()):
        raise InvalidPolicy(f"{place}.name", f"a name is 1 to {_NAME_MAX} letters, digits and underscores")
    approvals, sla, ticket = given.get("approvals"), given.get("sla"), given.get("ticket")
    reviewed = given.get("isReviewed", False)
    if not isinstance(reviewed, bool):
        raise InvalidPolicy(f"{place}.isReviewed", "true or false is expected")
    return _made(
        place,
        lambda: PolicyRule(
            name=name,
            verdict=_one_of(RuleVerdict, given["verdict"], f"{place}.verdict"),
            match=_match(given.get("when", {}), f"{place}.when"),
            ticket=None if ticket is None else _one_of(TicketType, ticket, f"{place}.ticket"),
            approvals=None if approvals is None else _approvals(approvals, f"{place}.approvals"),
            sla=None if sla is None else _sla(sla, f"{place}.sla"),
            is_reviewed=reviewed,
        ),
    )


def _kinds(value: Any, place: str) -> Names:
    return Names.of(_one_of(OperationKind, kind, place).value for kind in _list(value, place))


def _initiators(value: Any, place: str) -> Names:
    return Names.of(_one_of(Initiator, initiator, place).value for initiator in _list(value, place))


def _texts(value: Any, place: str) -> Names:
    names = _list(value, place)
    if not all(isinstance(name, str) and 1 <= len(name) <= _NAME_MAX for name in names):
        raise InvalidPolicy(place, f"a list of names is expected, each of at most {_NAME_MAX} characters")
    return Names.of(checksum(_address(name, place)) if name.startswith("0x") else name for name in names)


_BOUNDS: Final = ("minimum", "over", "below", "maximum")


def _amount(value: Any, place: str) -> AmountRange:
    bounds = {name: _decimal(bound, f"{place}.{name}") for name, bound in _members(value, place, _BOUNDS).items()}
    if {"minimum", "over"} <= bounds.keys() or {"below", "maximum"} <= bounds.keys() or not bounds:
        raise InvalidPolicy(place, "an amount has one of minimum and over, or one of below and maximum, or one of each")
    start, end = AmountRange().start, AmountRange().end
    for name, bound in bounds.items():
        cut = Cut(bound, is_after=name in ("over", "maximum"))
        start, end = (cut, end) if name in ("minimum", "over") else (start, cut)
    found = AmountRange(start, end)
    if found.is_empty:
        raise InvalidPolicy(place, f"no amount is {found}")
    return found


_WHEN: Final[Mapping[str, tuple[str, Callable[[Any, str], Any]]]] = {
    "kinds": ("kinds", _kinds),
    "initiators": ("initiators", _initiators),
    "sources": ("sources", _texts),
    "destinations": ("destinations", _texts),
    "assets": ("assets", _texts),
    "contracts": ("contracts", _texts),
    "methods": ("methods", _texts),
    "amount": ("amount", _amount),
    "amount24h": ("amount_24h", _amount),
}
"""By the member of the document: the dimension of the match, and how it is read."""


def _match(value: Any, place: str) -> Match:
    given = _members(value, place, tuple(_WHEN))
    return Match(**{_WHEN[name][0]: _WHEN[name][1](part, f"{place}.{name}") for name, part in given.items()})


def _approvals(value: Any, place: str) -> Approvals:
    options = [_list(option, f"{place}.{index}") for index, option in enumerate(_list(value, place))]
    return _made(
        place,
        lambda: Approvals(
            tuple(
                tuple(_group(group, f"{place}.{index}.{number}") for number, group in enumerate(option))
                for index, option in enumerate(options)
            )
        ),
    )


def _group(value: Any, place: str) -> ApproverGroup:
    given = _members(value, place, ("count", "from"), required=("count", "from"))
    count, approvers = _number(given["count"], f"{place}.count", _LISTED_MAX), given["from"]
    if isinstance(approvers, str):
        return ApproverGroup(count, role=_one_of(ApproverRole, approvers, f"{place}.from"))
    people = frozenset(_address(person, f"{place}.from") for person in _list(approvers, f"{place}.from"))
    return _made(place, lambda: ApproverGroup(count, people=people))


def _sla(value: Any, place: str) -> Sla:
    times = ("warnSeconds", "escalateSeconds", "deadlineSeconds")
    given = _members(value, place, (*times, "atDeadline"), required=times)
    warn, escalate, deadline = (timedelta(seconds=_number(given[name], f"{place}.{name}", _SECONDS_MAX)) for name in times)
    at_deadline = _one_of(AtDeadline, given.get("atDeadline", AtDeadline.ALERT), f"{place}.atDeadline")
    return _made(place, lambda: Sla(warn, escalate, deadline, at_deadline))


_Made = TypeVar("_Made")
_Choice = TypeVar("_Choice", bound=StrEnum)


def _made(place: str, make: Callable[[], _Made]) -> _Made:
    """Return what `make` returns, with its ValueError as an error of this place."""
    try:
        return make()
    except InvalidPolicy:
        raise
    except ValueError as error:
        raise InvalidPolicy(place, str(error)) from error


def _members(value: Any, place: str, known: Sequence[str], *, required: Sequence[str] = ()) -> Mapping[str, Any]:
    """Return the members of an object; null is the same as left out."""
    if not isinstance(value, Mapping):
        raise InvalidPolicy(place or "policy", f"an object with {', '.join(known)} is expected")
    for name in value:
        if name not in known:
            raise InvalidPolicy(f"{place}.{name}".strip("."), f"it is unknown; known are {', '.join(known)}")
    given = {name: member for name, member in value.items() if member is not None}
    for name in required:
        if name not in given:
            raise InvalidPolicy(f"{place}.{name}".strip("."), "it is missing")
    return given


def _list(value: Any, place: str, length_max: int = _LISTED_MAX) -> Sequence[Any]:
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= length_max:
        raise InvalidPolicy(place, f"a list of 1 to {length_max} is expected")
    return value


def _one_of(values: type[_Choice], value: Any, place: str) -> _Choice:
    try:
        return values(value)
    except ValueError:
        raise InvalidPolicy(place, f"{str(value)[:60]!r} is none of {', '.join(values)}") from None


def _number(value: Any, place: str, value_max: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= value_max:
        raise InvalidPolicy(place, f"a whole number from 1 to {value_max} is expected")
    return value


def _decimal(value: Any, place: str) -> Decimal:
    try:
        number = Decimal(value) if isinstance(value, str) and len(value) <= _NAME_MAX else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite() or number < 0:
        raise InvalidPolicy(place, 'an amount is a decimal text in whole units of the vault\'s asset, such as "50000"')
    return number


def _address(value: Any, place: str) -> Address:
    try:
        return parse_address(str(value))
    except InvalidAddress as error:
        raise InvalidPolicy(place, str(error)) from error


def _rule_document(rule: PolicyRule) -> dict[str, Any]:
    document: dict[str, Any] = {"name": rule.name, "verdict": rule.verdict.value, "when": _when_document(rule.match)}
    if rule.ticket is not None and rule.approvals is not None and rule.sla is not None:
        document |= {
            "ticket": rule.ticket.value,
            "approvals": [[_group_document(group) for group in option] for option in rule.approvals.options],
            "sla": {
                "warnSeconds": int(rule.sla.warn.total_seconds()),
                "escalateSeconds": int(rule.sla.escalate.total_seconds()),
                "deadlineSeconds": int(rule.sla.deadline.total_seconds()),
                "atDeadline": rule.sla.at_deadline.value,
            },
        }
    return document | ({"isReviewed": True} if rule.is_reviewed else {})


def _when_document(match: Match) -> dict[str, Any]:
    parts = {name: getattr(match, dimension) for name, (dimension, _) in _WHEN.items()}
    return {
        name: _amount_document(part) if isinstance(part, AmountRange) else sorted(part.named)
        for name, part in parts.items()
        if not part.is_everything
    }


def _amount_document(found: AmountRange) -> dict[str, str]:
    everything, bounds = AmountRange(), {}
    if found.start != everything.start:
        bounds["over" if found.start.is_after else "minimum"] = _plain(found.start.value)
    if found.end != everything.end:
        bounds["maximum" if found.end.is_after else "below"] = _plain(found.end.value)
    return bounds


def _plain(amount: Decimal) -> str:
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _group_document(group: ApproverGroup) -> dict[str, Any]:
    approvers = group.role.value if group.role else sorted(checksum(address) for address in group.people)
    return {"count": group.count, "from": approvers}
