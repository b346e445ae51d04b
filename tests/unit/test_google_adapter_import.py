"""A cold start pays for no library that it may not need: HTTP, AWS and cryptography are imported by first use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = {"httpx", "httpcore", "cryptography", "boto3", "botocore", "pydantic", "yaml", "google"}


@pytest.mark.parametrize(
    "module", ["functions.shared.adapters.google.gateway", "functions.shared.adapters.google.identity"]
)
def test_importing_the_adapter_imports_nothing_heavy(module):
    result = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", f"import {module}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in result.stderr.splitlines()}
    assert "functions" in imported
    assert imported & HEAVY == set()
