"""Lambda in this process: the real handlers, imported and called as the template says."""

from __future__ import annotations

import importlib
import os
import sys
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

from functions.shared.errors import ConveyorError
from infra.local.clock import VirtualClock
from infra.local.intrinsics import ACCOUNT, Unsupported
from infra.local.template import Function


class TimedOut(ConveyorError):
    """The function used more (virtual) time than its Timeout; Lambda would have killed it."""


@dataclass(frozen=True)
class LambdaContext:
    """The context object that Lambda hands to a handler."""

    function_name: str
    memory_limit_in_mb: str
    invoked_function_arn: str
    log_group_name: str
    deadline: datetime
    clock: VirtualClock
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    function_version: str = "$LATEST"
    log_stream_name: str = "local"

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self.deadline - self.clock.now()).total_seconds() * 1000))


class LocalLambda:
    """One function. Construction imports the handler: a wrong Handler string stops the stack with Unsupported."""

    _one_at_a_time = threading.RLock()
    """The environment belongs to the process, so no two functions run at once."""

    def __init__(self, function: Function, clock: VirtualClock, region: str) -> None:
        self.function = function
        self._clock = clock
        self._arn = f"arn:aws:lambda:{region}:{ACCOUNT}:function:{function.name}"
        self._environment = {
            **function.environment,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        }
        self._handler = _import_handler(function)

    def invoke(self, event: Mapping[str, Any]) -> Any:
        """What the handler returns. Raises what it raises, or TimedOut when its time was up."""
        with self._one_at_a_time, patch.dict(os.environ, self._environment):
            context = LambdaContext(
                function_name=self.function.name,
                memory_limit_in_mb=str(self.function.memory),
                invoked_function_arn=self._arn,
                log_group_name=f"/aws/lambda/{self.function.name}",
                deadline=self._clock.now() + timedelta(seconds=self.function.timeout),
                clock=self._clock,
            )
            answer = self._handler(event, context)
            if not context.get_remaining_time_in_millis():
                raise TimedOut(f"{self.function.name} ran longer than {self.function.timeout} s")
            return answer


def new_environment() -> None:
    """Forget what functions keep between calls: clients, settings and tokens of an earlier stack in this process."""
    for name, module in list(sys.modules.items()):
        if name.split(".", 1)[0] == "functions":
            for value in list(vars(module).values()):
                clear = getattr(value, "cache_clear", None)
                if clear is not None:
                    clear()


def _import_handler(function: Function) -> Callable[[Any, Any], Any]:
    module_name, _, attribute = function.handler.rpartition(".")
    root = str(function.code_root)
    if root not in sys.path:
        sys.path.insert(0, root)
    try:
        handler = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise Unsupported(f"{function.name}: Handler {function.handler!r} cannot be imported: {error}") from error
    if not callable(handler):
        raise Unsupported(f"{function.name}: Handler {function.handler!r} is not callable")
    result: Callable[[Any, Any], Any] = handler
    return result
