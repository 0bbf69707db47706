"""A small builder of mixed-integer linear models over scipy's HiGHS, with limits that may give way in the order of their rank.

Columns and rows are collected as plain lists and become one sparse matrix when the model is solved. A row may belong to a limit
group: it then has slack columns, which are fixed at zero unless the group is relaxed.

The answer is repeatable: HiGHS runs with its default seed and a limit on nodes, never on time.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csc_array

SOLVER: Final = f"HiGHS of scipy {scipy.__version__}"
_NODES_MAX: Final = 20_000
"""The search ends here and gives its best answer. A limit of time would make the answer depend on the machine."""
_RELATIVE_GAP: Final = 3e-4
_SLACK_TOLERANCES: Final = (1e-7, 1e-6, 1e-5)
"""Room beyond the least by which a limit must be broken; more, if the solver calls its own answer impossible."""

Columns = NDArray[np.int64]
Values = NDArray[np.float64]
Term = tuple[int | Columns, float | Values]
"""A column or several, with one coefficient or one for each."""


class NoSolution(Exception):
    """The solver found no trades that keep all limits, or gave up."""


@dataclass(frozen=True, slots=True)
class Solution:
    """Values of the columns, the cost, and the proven bound below it."""

    values: Values
    cost: float
    bound: float
    slack: Mapping[str, float]
    """By group: how far its rows are broken together."""


@dataclass(slots=True)
class LinearModel:
    """Minimise cost · x subject to rows, bounds and integrality."""

    _lower: list[float] = field(default_factory=list)
    _upper: list[float] = field(default_factory=list)
    _cost: list[float] = field(default_factory=list)
    _integer: list[int] = field(default_factory=list)
    _entries: tuple[list[int], list[int], list[float]] = field(default_factory=lambda: ([], [], []))
    _row_lower: list[float] = field(default_factory=list)
    _row_upper: list[float] = field(default_factory=list)
    _slacks: dict[str, list[int]] = field(default_factory=dict)

    def columns(
        self, upper: Sequence[float], cost: Sequence[float] | float = 0.0, *, lower: float = 0.0, integer: bool = False
    ) -> Columns:
        """Add one column for each upper bound."""
        start, count = len(self._upper), len(upper)
        self._upper.extend(upper)
        self._lower.extend([lower] * count)
        self._cost.extend([cost] * count if isinstance(cost, int | float) else cost)
        self._integer.extend([int(integer)] * count)
        return np.arange(start, start + count)

    def column(self, *, lower: float = 0.0, upper: float = np.inf, cost: float = 0.0, integer: bool = False) -> int:
        """Add one column."""
        return int(self.columns([upper], cost, lower=lower, integer=integer)[0])

    def row(
        self,
        *terms: Term,
        lower: float = -np.inf,
        upper: float = np.inf,
        group: str | None = None,
    ) -> None:
        """Add lower ≤ Σ coefficient · column ≤ upper."""
        number = len(self._row_lower)
        rows, columns, coefficients = self._entries
        for where, factor in terms:
            indices = [where] if isinstance(where, int) else where.tolist()
            columns.extend(indices)
            rows.extend([number] * len(indices))
            coefficients.extend([factor] * len(indices) if isinstance(factor, int | float) else factor.tolist())
        if group is not None:
            for sign, bound in ((1.0, lower), (-1.0, upper)):
                if np.isfinite(bound):
                    slack = self.column(upper=0.0)
                    self._slacks.setdefault(group, []).append(slack)
                    rows.append(number)
                    columns.append(slack)
                    coefficients.append(sign)
        self._row_lower.append(lower)
        self._row_upper.append(upper)

    def solve(self, *, closed: Sequence[int] = ()) -> Solution:
        """Find the least cost with every limit kept, and the closed columns at zero.

        Raises:
            NoSolution: nothing keeps the limits, or the solver gave up.
        """
        return self._solve(np.array(self._cost), {}, closed=closed)

    def relaxation(self) -> Solution:
        """Find the least cost with every limit kept and no column whole: a bound below every solution, found fast.

        Raises:
            NoSolution: nothing keeps the limits.
        """
        return self._solve(np.array(self._cost), {}, whole=False)

    def solve_in_order(self, groups: Sequence[str]) -> Solution:
        """Break limits as little as possible, the first group first, and then find the least cost.

        Raises:
            NoSolution: even without the limits of these groups there is nothing.
        """
        for tolerance in _SLACK_TOLERANCES:
            try:
                return self._solve_in_order(groups, tolerance)
            except NoSolution as failure:
                last = failure
        raise last

    def _solve_in_order(self, groups: Sequence[str], tolerance: float) -> Solution:
        allowed: dict[str, float] = dict.fromkeys(groups, np.inf)
        for group in groups:
            if group in self._slacks:
                cost = np.zeros(len(self._cost))
                cost[self._slacks[group]] = 1.0
                least = self._solve(cost, allowed).slack[group]
                allowed[group] = least * (1 + tolerance) + tolerance if least > tolerance else 0.0
        return self._solve(np.array(self._cost), allowed)

    def smallest_conflict(self, groups: Sequence[str]) -> tuple[str, ...]:
        """Return groups whose limits cannot be kept together, none of which can be left out. Empty where all can be kept.

        A deletion filter: each group is left out once, the least important first, and stays out if the rest still conflicts.
        """
        kept = [group for group in groups if group in self._slacks]
        if self._is_feasible(kept):
            return ()
        for group in reversed(list(kept)):
            rest = [other for other in kept if other != group]
            if not self._is_feasible(rest):
                kept = rest
        return tuple(kept)

    def _is_feasible(self, kept: Collection[str]) -> bool:
        try:
            self._solve(np.zeros(len(self._cost)), {group: np.inf for group in self._slacks if group not in kept})
        except NoSolution:
            return False
        return True

    def _solve(self, cost: Values, allowed: Mapping[str, float], *, closed: Sequence[int] = (), whole: bool = True) -> Solution:
        upper = np.array(self._upper)
        upper[list(closed)] = 0.0
        extra: list[tuple[list[int], float]] = []
        for group, most in allowed.items():
            slacks = self._slacks.get(group, [])
            if most > 0:
                upper[slacks] = np.inf
            if slacks and 0 < most < np.inf:
                extra.append((slacks, most))
        result = milp(
            cost,
            integrality=np.array(self._integer) if whole else None,
            bounds=Bounds(np.array(self._lower), upper),
            constraints=self._constraints(extra),
            options={"node_limit": _NODES_MAX, "mip_rel_gap": _RELATIVE_GAP},
        )
        if result.x is None:
            raise NoSolution(str(result.message))
        bound = getattr(result, "mip_dual_bound", None)
        return Solution(
            values=result.x,
            cost=float(result.fun),
            bound=float(result.fun if bound is None else bound),
            slack={group: float(result.x[slacks].sum()) for group, slacks in self._slacks.items()},
        )

    def _constraints(self, extra: Sequence[tuple[list[int], float]]) -> Any:
        rows, columns, coefficients = (list(part) for part in self._entries)
        lower, upper = list(self._row_lower), list(self._row_upper)
        for slacks, most in extra:
            rows.extend([len(lower)] * len(slacks))
            columns.extend(slacks)
            coefficients.extend([1.0] * len(slacks))
            lower.append(-np.inf)
            upper.append(most)
        matrix = csc_array((coefficients, (rows, columns)), shape=(len(lower), len(self._cost)))
        return LinearConstraint(matrix, np.array(lower), np.array(upper))
