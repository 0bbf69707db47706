"""`python -m paimon.infrastructure.solver.child SECONDS`: read a plan's inputs, write the plan, and end.

The operating system ends this process after so many seconds, also while its library works and after its parent has died.
"""

import signal
import sys

from paimon.domain.rebalance.decision import decide, parse_inputs, result_text
from paimon.infrastructure.solver.quiet import without_output


def main() -> None:
    signal.alarm(int(sys.argv[1]))  # no handler: it ends the process even inside of the library
    with without_output():
        result = decide(parse_inputs(sys.stdin.read()))
    sys.stdout.write(result_text(result))


if __name__ == "__main__":
    main()
