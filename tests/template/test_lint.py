"""cfn-lint has nothing to say about either template."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.template.stack import ROOT


def test_cfn_lint_is_content() -> None:
    cfn_lint = Path(sys.executable).with_name("cfn-lint")
    command = [str(cfn_lint), "template.yaml", "infra/observability.yaml"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "")
