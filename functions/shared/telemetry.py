"""Logs and metrics. One line a decision, stable names, ids only: never a name, a phone, an e-mail or a body."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any, Protocol


class Telemetry(Protocol):
    def info(self, event: str, **fields: object) -> None: ...

    def warning(self, event: str, **fields: object) -> None: ...

    def exception(self, event: str, **fields: object) -> None:
        """An error with its traceback; call it inside an except block."""

    def count(self, metric: str, value: int = 1) -> None: ...

    def flush(self) -> None:
        """Write the collected metrics out; the handler calls it once per invocation."""


class PowertoolsTelemetry:
    """Powertools Logger and embedded metrics; built with the function, never at import.

    Counts are added up and written once a run: logs are paid by the byte. The namespace of the metrics is
    POWERTOOLS_METRICS_NAMESPACE, one per stage (template.yaml). They have no dimension: whoever counts the same thing
    adds to the same metric, so that one alarm serves all functions; the log group says which it was.
    """

    def __init__(self, service: str) -> None:
        from aws_lambda_powertools import Logger, Metrics

        self._logger: Any = Logger(service=service)
        self._metrics: Any = Metrics(service="")  # Powertools makes a dimension of any other name
        self._counts: Counter[str] = Counter()

    def info(self, event: str, **fields: object) -> None:
        self._logger.info(event, **fields)

    def warning(self, event: str, **fields: object) -> None:
        self._logger.warning(event, **fields)

    def exception(self, event: str, **fields: object) -> None:
        self._logger.exception(event, **fields)

    def count(self, metric: str, value: int = 1) -> None:
        self._counts[metric] += value

    def flush(self) -> None:
        counts, self._counts = +self._counts, Counter()
        for metric, value in counts.items():
            self._metrics.add_metric(name=metric, unit="Count", value=value)
        if counts:  # flushing nothing makes Powertools warn
            self._metrics.flush_metrics()


@cache
def telemetry(service: str) -> Telemetry:
    return PowertoolsTelemetry(service)
