"""python -m tests.benchmarks.fairness potentials [SEEDS [HOLD_OUT]] | count [SEEDS [FIRST]]

potentials: the candidates compared on SEEDS seeds (2) for tuning and as many from HOLD_OUT on (1000).
count: how many traces of SEEDS seeds (50) from FIRST on (4000) exceed the goal.
Both take minutes, on all cores. The tables themselves come from `python -m tests.benchmarks fairness`.
"""

import sys

from tests.benchmarks.fairness import potentials

COMMANDS = {"potentials": potentials.compare, "count": potentials.count}

if __name__ == "__main__":
    command = COMMANDS.get("".join(sys.argv[1:2]))
    if command is None:
        sys.exit(__doc__)
    command(*map(int, sys.argv[2:]))
