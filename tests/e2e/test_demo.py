"""`make demo`, as it is run."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from tests.e2e.outside import ROOT


def test_the_demo_gives_out_a_whole_day_fairly_and_within_the_limits() -> None:
    played = subprocess.run(
        [sys.executable, "-m", "infra.local.demo"],
        cwd=ROOT,
        env={**os.environ, "DEMO_EXIT": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    told = played.stdout
    assert len(re.findall(r"^\d\d:\d\d:\d\d  lead \d+ .* → \w+", told, re.MULTILINE)) == 60
    assert "60 leads, 60 given out, 0 wait" in told
    assert " 0 throttled" in told
    assert re.search(r"→ Vera +the only one .*; waited since 0\d:\d\d$", told, re.MULTILINE), "the leads of the night"
    assert "goes home sick" in told
    distances = re.search(r"largest distance at any time: ([\d.]+) leads in total, ([\d.]+) in a channel", told)
    assert distances is not None
    assert max(map(float, distances.groups())) <= 1.75
