"""What is shipped: the pinned packages of the functions are those that were tested, and no others."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

from tests.template.stack import ROOT

OF_THE_RUNTIME = {"boto3", "botocore"}
DISTRIBUTIONS = {"aws_lambda_powertools": "aws-lambda-powertools", "phonenumbers": "phonenumberslite"}


def pins(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", path.read_text(encoding="utf-8"), re.MULTILINE))


def test_what_is_shipped_is_what_was_tested() -> None:
    shipped, tested = pins(ROOT / "functions" / "requirements.txt"), pins(ROOT / "requirements" / "dev.lock")
    assert shipped
    assert {name: tested.get(name) for name in shipped} == shipped


def test_heavy_packages_are_not_shipped() -> None:
    heavy = {"boto3", "botocore", "pydantic", "aws-xray-sdk", "moto", "flask"}
    assert not heavy & set(pins(ROOT / "functions" / "requirements.txt"))


def test_every_package_that_the_functions_import_is_asked_for() -> None:
    imported = set()
    for path in (ROOT / "functions").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                imported.add(node.module.split(".")[0])
    foreign = imported - sys.stdlib_module_names - OF_THE_RUNTIME - {"functions"}
    asked = re.findall(r"^[a-z-]+", (ROOT / "requirements" / "functions.in").read_text(encoding="utf-8"), re.MULTILINE)
    assert {DISTRIBUTIONS.get(name, name) for name in foreign} <= set(asked)


def test_every_pin_has_its_hash() -> None:
    locks = [ROOT / "functions" / "requirements.txt", *(ROOT / "requirements").glob("*.lock")]
    assert len(locks) == 3
    for lock in locks:
        blocks = re.split(r"\n(?=\S)", lock.read_text(encoding="utf-8"))
        assert not [block for block in blocks if "==" in block and "--hash=sha256:" not in block], lock.name
