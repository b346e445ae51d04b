"""The name of an installation (parameter Stage of template.yaml)."""

from __future__ import annotations

import re

_STAGE = re.compile(r"[a-z][a-z0-9-]{0,15}")


def is_stage(text: str) -> bool:
    return _STAGE.fullmatch(text) is not None
