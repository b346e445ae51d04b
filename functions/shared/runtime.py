"""What the surrounding process gives to the functions: time, AWS clients, the way out to amoCRM.

On Lambda the defaults hold. The local stack installs its own before it calls a handler, so handlers,
bootstraps and services are the same code in both places and know of neither.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from functions.shared.clock import Clock, SystemClock

if TYPE_CHECKING:
    import httpx


@cache
def boto3_client(service: str) -> Any:
    """A boto3 client with short timeouts (botocore's own are 60 s), built once per process and on first use only.

    boto3 is half of a cold start, and a tick that finds nothing due needs one client of four.
    """
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=2,
        read_timeout=5,
        retries={"mode": "standard", "total_max_attempts": 3},
        parameter_validation=False,  # checks what the service checks again: a tenth of a big transaction's CPU time
    )
    return boto3.client(service, config=config)


@dataclass(frozen=True)
class Runtime:
    """`transport` replaces httpx's own (tests, simulators in process); None is the network."""

    clock: Clock = field(default_factory=SystemClock)
    aws: Callable[[str], Any] = boto3_client
    transport: httpx.BaseTransport | None = None


_installed = Runtime()


def current() -> Runtime:
    """The runtime of this process."""
    return _installed


def install(runtime: Runtime) -> None:
    """Replace the runtime; call it before the first handler is bootstrapped."""
    global _installed
    _installed = runtime
