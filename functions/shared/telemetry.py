"""Logs and metrics. One line a decision, stable names, ids only: never a name, a phone, an e-mail or a body."""

from __future__ import annotations

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

    The namespace of the metrics is POWERTOOLS_METRICS_NAMESPACE, one per stage (template.yaml).
    """

    def __init__(self, service: str) -> None:
        from aws_lambda_powertools import Logger, Metrics

        self._logger: Any = Logger(service=service)
        self._metrics: Any = Metrics(service=service)
        self._counted = False

    def info(self, event: str, **fields: object) -> None:
        self._logger.info(event, **fields)

    def warning(self, event: str, **fields: object) -> None:
        self._logger.warning(event, **fields)

    def exception(self, event: str, **fields: object) -> None:
        self._logger.exception(event, **fields)

    def count(self, metric: str, value: int = 1) -> None:
        if not value:
            return
        self._metrics.add_metric(name=metric, unit="Count", value=value)
        self._counted = True

    def flush(self) -> None:
        if self._counted:  # flushing nothing makes Powertools warn
            self._metrics.flush_metrics()
            self._counted = False


@cache
def telemetry(service: str) -> Telemetry:
    return PowertoolsTelemetry(service)
