"""python -m tests.benchmarks.fairness potentials [SEEDS [HOLD_OUT]]

The potentials compared on SEEDS seeds (2) for tuning and as many from HOLD_OUT on (1000): minutes, on all cores.
The tables themselves come from `python -m tests.benchmarks fairness`.
"""

import sys

from tests.benchmarks.fairness import potentials

if __name__ == "__main__":
    if sys.argv[1:2] != ["potentials"]:
        sys.exit(__doc__)
    potentials.compare(*map(int, sys.argv[2:]))
