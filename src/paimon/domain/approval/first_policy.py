"""Version 1 of the approval policy, as data. Source: docs/concepts/fund.md, "Approvals" and "Wallets and their limits".

A migration writes it into the database, so it never changes. Later versions are published by signed actions.
"""

from typing import Any, Final

from paimon.domain.approval.policy import ApprovalPolicy
from paimon.domain.approval.policy_document import parse_policy

_HOUR: Final = 3600


def _sla(warn_hours: float, escalate_hours: float, deadline_hours: float) -> dict[str, Any]:
    hours = {"warnSeconds": warn_hours, "escalateSeconds": escalate_hours, "deadlineSeconds": deadline_hours}
    return {**{name: int(value * _HOUR) for name, value in hours.items()}, "atDeadline": "ALERT"}


def _needs(name: str, count: int, approvers: str, sla: dict[str, Any], when: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name.lower(),
        "verdict": "NEEDS_APPROVALS",
        "when": when,
        "ticket": name,
        "approvals": [[{"count": count, "from": approvers}]],
        "sla": sla,
    }


_HOT_METHODS: Final = ("allocateToLayer", "purchaseAsset", "rebalanceBuffer", "redeemAsset")

FIRST_POLICY_DOCUMENT: Final[dict[str, Any]] = {
    "rules": [
        _needs("EMERGENCY_REDEMPTION", 1, "vip_approver", _sla(2, 3, 4), {"kinds": ["EMERGENCY_REDEMPTION"]}),
        _needs("STANDARD_REDEMPTION", 1, "vip_approver", _sla(12, 18, 24), {"kinds": ["STANDARD_REDEMPTION"]}),
        {"name": "rebalance", "verdict": "ALLOW", "when": {"kinds": ["REBALANCE"], "amount": {"below": "10000"}}},
        {
            "name": "rebalance_reviewed",
            "verdict": "ALLOW",
            "when": {"kinds": ["REBALANCE"], "amount": {"minimum": "10000", "maximum": "50000"}},
            "isReviewed": True,
        },
        _needs(
            "REBALANCE_SMALL",
            1,
            "admin",
            _sla(1, 1.5, 2),
            {"kinds": ["REBALANCE"], "amount": {"over": "50000", "maximum": "200000"}},
        ),
        _needs("REBALANCE_LARGE", 2, "admin", _sla(2, 3, 4), {"kinds": ["REBALANCE"], "amount": {"over": "200000"}}),
        _needs(
            "ASSET_ADD",
            2,
            "admin",
            _sla(24, 36, 48),
            {"kinds": ["CALL"], "contracts": ["AssetController"], "methods": ["addAsset", "addAssetSimple"]},
        ),
        _needs(
            "ASSET_REMOVE",
            2,
            "admin",
            _sla(12, 18, 24),
            {"kinds": ["CALL"], "contracts": ["AssetController"], "methods": ["removeAsset"]},
        ),
        _needs(
            "FEE_WITHDRAW",
            2,
            "admin",
            _sla(12, 18, 24),
            {"kinds": ["CALL"], "contracts": ["AssetController"], "methods": ["collectFees", "withdrawRedemptionFees"]},
        ),
        _needs(
            "EMERGENCY_MODE",
            2,
            "admin",
            _sla(0.1, 0.25, 0.5),
            {"kinds": ["CALL"], "contracts": ["Vault"], "methods": ["setEmergencyMode"]},
        ),
        {
            "name": "small_plan",
            "verdict": "ALLOW",
            "when": {
                "kinds": ["CALL"],
                "contracts": ["AssetController"],
                "methods": list(_HOT_METHODS),
                "amount": {"below": "10000"},
            },
        },
        _needs("MANUAL_OPERATION", 2, "admin", _sla(12, 18, 24), {"kinds": ["CALL"]}),
    ]
}

FIRST_POLICY: Final[ApprovalPolicy] = parse_policy(FIRST_POLICY_DOCUMENT, version=1)
