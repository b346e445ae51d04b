"""How a phone, an e-mail or a foreign id is written down: as a keyed hash, which says nothing without the key. Pure."""

from __future__ import annotations

import hashlib
import hmac

IDENTITY_KEY = "identity-key"
"""Name of the parameter below the installation's prefix that holds the key. It must never change: every stored hash
would belong to nobody."""


def handle_hash(key: str, handle: str) -> str:
    """HMAC-SHA256 in hex of `phone:+79123456789`, `email:anna@mail.ru` or `ext:<source>:<id>`."""
    return hmac.new(key.encode(), handle.encode(), hashlib.sha256).hexdigest()
