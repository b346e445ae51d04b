"""How far rules of distribution stray from the fair share, on the same traces."""

from tests.benchmarks.fairness.tables import run

__all__ = ["run"]
