"""Cold start of each handler beside the import of all five packages, in one run: CPU time of a fresh interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RUNS = 7
"""The best of so many: CPU time has only upward noise."""

ENVIRONMENT = {
    "TABLE_NAME": "conveyor",
    "BUS_NAME": "sales",
    "QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/leads",
    "DEAD_LETTERS_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/dead",
    "AMOCRM_BASE_URL": "https://demo.amocrm.ru",
    "SECRETS_PREFIX": "/conveyor/bench",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
}

SUBJECTS = {
    "all five packages": "import boto3, aws_lambda_powertools, httpx, pydantic, moto",
    "distribute: import + construction": (
        "from functions.distribute import handler, bootstrap; bootstrap.distributor()"
    ),
    "distribute, and the DynamoDB client of its first request": (
        "from functions.distribute import handler, bootstrap; bootstrap.distributor();"
        "from functions.shared import runtime; runtime.current().aws('dynamodb')"
    ),
    "distribute, and all clients of its first lead": (
        "from functions.distribute import handler, bootstrap; bootstrap.distributor();"
        "from functions.shared import runtime; import httpx; httpx.Client();"
        "[runtime.current().aws(service) for service in ('dynamodb', 'ssm', 'events', 'sqs')]"
    ),
}
BASE = "all five packages"
GOAL = 0.5


def run() -> dict[str, Any]:
    """CPU milliseconds and the ratio to the five packages; the goal is for import + construction."""
    measured = {name: min(_cpu_ms(code) for _ in range(RUNS)) for name, code in SUBJECTS.items()}
    rows = [
        {"what": name, "cpu_ms": round(value), "ratio": round(value / measured[BASE], 2)}
        for name, value in measured.items()
    ]
    return {"rows": rows, "goal": {"what": "distribute: import + construction", "ratio": GOAL}}


def _cpu_ms(code: str) -> float:
    program = f"import time; start = time.process_time(); {code}; print((time.process_time() - start) * 1000)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1])
