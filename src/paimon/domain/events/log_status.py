"""Status of a recorded log: whether it was decoded and applied to the projections."""

from enum import StrEnum


class LogStatus(StrEnum):
    """How far a recorded log was processed."""

    APPLIED = "APPLIED"  # decoded and, where a projection uses it, applied
    UNKNOWN = "UNKNOWN"  # no event of the fund's ABIs has its topic
    QUARANTINED = "QUARANTINED"  # cannot be decoded or applied; its `reason` says why
    SKIPPED = "SKIPPED"  # left out by an operator's decision after it was quarantined
