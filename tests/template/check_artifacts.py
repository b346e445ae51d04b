"""Import every handler out of what `sam build` made, as Lambda would: a clean interpreter and the artifact alone.

`python -m tests.template.check_artifacts --python <python of the runtime> [--build .aws-sam/build]`. boto3 is not in
the artifact (the Lambda runtime brings it), so a handler that imports it at module level fails here, on purpose.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from tests.template.stack import ROOT, load

UNZIPPED_MEGABYTES = 9
"""Today's 7.9 and some air; pydantic would bring 5 more, botocore or the X-Ray SDK 30."""

IMPORT = """
import importlib, sys, time
artifact, handler = sys.argv[1:]
sys.path.insert(0, artifact)
module, _, attribute = handler.rpartition(".")
start = time.perf_counter()
loaded = importlib.import_module(module)
seconds = time.perf_counter() - start
assert callable(getattr(loaded, attribute)), handler
assert loaded.__file__.startswith(artifact), loaded.__file__
print(f"{seconds * 1000:.0f} ms")
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--python", required=True)
    parser.add_argument("--build", type=Path, default=ROOT / ".aws-sam" / "build")
    arguments = parser.parse_args()
    resources = load(arguments.build / "template.yaml")["Resources"].items()
    functions = {name: part for name, part in resources if part["Type"] == "AWS::Serverless::Function"}
    failures = [
        name
        for name, function in functions.items()
        if not _is_sound(arguments.python, name, arguments.build, function["Properties"])
    ]
    print(f"{len(functions) - len(failures)} of {len(functions)} built handlers are sound")
    return 1 if failures or not functions else 0


def _is_sound(python: str, name: str, build: Path, properties: dict[str, str]) -> bool:
    artifact = (build / properties["CodeUri"]).resolve()
    megabytes = sum(path.stat().st_size for path in artifact.rglob("*") if path.is_file()) / 1e6
    # -I and -S: no environment, no site-packages; only the standard library and the artifact. -B: leave it as it is.
    command = [python, "-I", "-S", "-B", "-c", IMPORT, str(artifact), properties["Handler"]]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    outcome = result.stdout.strip() or result.stderr.strip()
    print(f"{name}: {properties['Handler']}: {megabytes:.1f} MB, imported in {outcome}")
    return result.returncode == 0 and megabytes <= UNZIPPED_MEGABYTES


if __name__ == "__main__":
    sys.exit(main())
