"""Who may know of whom: functions read the shared code, never the other way round, and never each other."""

from __future__ import annotations

import re
from pathlib import Path

FUNCTIONS = Path(__file__).parents[2] / "functions"


def test_shared_code_imports_no_function_and_functions_not_each_other():
    packages = {path.name for path in FUNCTIONS.iterdir() if (path / "__init__.py").is_file()}
    strangers = []
    for path in FUNCTIONS.rglob("*.py"):
        own = path.relative_to(FUNCTIONS).parts[0]
        text = path.read_text(encoding="utf-8")
        imported = set(re.findall(r"^\s*(?:from|import) functions\.(\w+)", text, re.MULTILINE))
        strangers += [f"{path.name}: {name}" for name in imported & packages - {own, "shared"}]
    assert {"shared", "distribute", "qualify_router"} <= packages
    assert strangers == []
