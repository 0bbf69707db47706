"""The key of a recorded log: its place in the recorded chain."""

from typing import NamedTuple


class LogId(NamedTuple):
    """Block number and index of a log: the primary key of `derived.raw_logs`.

    It names the log that is recorded there now. After a recovery another block may stand in its place; `LogKey` of the domain
    names one log for good, by its block's hash.
    """

    block_number: int
    log_index: int
