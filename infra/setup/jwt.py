"""Does a text look like a JSON Web Token (RFC 7519)? Its signature is amoCRM's matter."""

from __future__ import annotations

import base64
import json
from typing import Any

from functions.shared.errors import BadInput

_HOW = "copy the long-lived token whole from the integration in amoCRM: three parts with dots between them"


def claims_of(name: str, text: str) -> dict[str, Any]:
    """Raises BadInput that names what was pasted instead, and no part of it."""
    if text.lower().startswith("bearer "):
        raise BadInput(f"{name}: leave the word Bearer out")
    if text[0] in "{[\"'":
        raise BadInput(f"{name}: give the token alone, without quotes and JSON")
    if any(letter.isspace() for letter in text):
        raise BadInput(f"{name} has blanks or line ends inside: copy it in one piece")
    if text.startswith("def50"):
        # codes and refresh tokens of amoCRM begin so (amoCRM API: OAuth)
        raise BadInput(f"{name} is an authorisation code or a refresh token: {_HOW}")
    parts = text.split(".")
    if len(parts) != 3 or not all(parts):
        raise BadInput(f"{name} is no token: {_HOW}")
    header, claims = _part(parts[0]), _part(parts[1])
    if "alg" not in header or not claims:
        raise BadInput(f"{name} cannot be read, perhaps its beginning is missing: {_HOW}")
    return claims


def _part(text: str) -> dict[str, Any]:
    """Empty where it is no JSON object."""
    try:
        document = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
