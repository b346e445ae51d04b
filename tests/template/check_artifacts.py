"""Import every handler out of what `sam build` made, as Lambda would: a clean interpreter and the artifact alone.

`python -m tests.template.check_artifacts --python <python of the runtime> [--build .aws-sam/build]`. boto3 is not in
the artifact (the Lambda runtime brings it), so a handler that imports it at module level fails here, on purpose. What
is compiled has to be for the processor of the function, not for this machine's.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from tests.template.stack import ROOT, load

UNZIPPED_MEGABYTES = 27
"""Today's 25.3 and some air, of Lambda's 250. Of them cryptography with cffi brings 15; pydantic would bring 5 more,
botocore or the X-Ray SDK 30."""

MACHINES = {"arm64": 183, "x86_64": 62}
"""Lambda's name of a processor → `e_machine` in the header of an ELF file (System V ABI, ELF header)."""

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
    built = load(arguments.build / "template.yaml")
    [architecture] = built["Globals"]["Function"]["Architectures"]
    resources = built["Resources"].items()
    functions = {name: part for name, part in resources if part["Type"] == "AWS::Serverless::Function"}
    failures = [
        name
        for name, function in functions.items()
        if not _is_sound(arguments.python, name, arguments.build, function["Properties"], MACHINES[architecture])
    ]
    print(f"{len(functions) - len(failures)} of {len(functions)} built handlers are sound")
    return 1 if failures or not functions else 0


def _is_sound(python: str, name: str, build: Path, properties: dict[str, str], machine: int) -> bool:
    artifact = (build / properties["CodeUri"]).resolve()
    foreign = [path.name for path in artifact.rglob("*.so*") if _machine(path) != machine]
    megabytes = sum(path.stat().st_size for path in artifact.rglob("*") if path.is_file()) / 1e6
    # -I and -S: no environment, no site-packages; only the standard library and the artifact. -B: leave it as it is.
    command = [python, "-I", "-S", "-B", "-c", IMPORT, str(artifact), properties["Handler"]]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    outcome = result.stdout.strip() or result.stderr.strip()
    print(f"{name}: {properties['Handler']}: {megabytes:.1f} MB, imported in {outcome}")
    if foreign:
        print(f"{name}: compiled for another processor: {', '.join(foreign)}")
    return result.returncode == 0 and megabytes <= UNZIPPED_MEGABYTES and not foreign


def _machine(library: Path) -> int:
    """The processor that a shared library was compiled for; all of Lambda's are little-endian."""
    return int.from_bytes(library.read_bytes()[18:20], "little")


if __name__ == "__main__":
    sys.exit(main())
