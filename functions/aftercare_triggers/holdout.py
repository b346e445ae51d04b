"""The hold-out: who of the clients gets no task, so that one sees what the tasks do. Pure.

One number per client, not per rule, so that the arms are nested: a client whom a rule with 10 % leaves alone is left
alone by every rule with 10 % or more, and what one rule does to him does not blur what another did not.
"""

from __future__ import annotations

import hashlib
import hmac

from functions.shared.care import Client

_RANGE = 2**64


def draw(key: bytes, salt: str) -> float:
    """A number in [0, 1) that stays the client's own: the first 8 bytes of HMAC-SHA256(account key, salt)."""
    return int.from_bytes(hmac.digest(key, salt.encode(), hashlib.sha256)[:8], "big") / _RANGE


def is_held_out(key: bytes, client: Client, share: float) -> bool:
    """Whether he belongs to the arm without tasks. A client without a salt draws by his id."""
    return share > 0 and draw(key, client.salt or str(client.id)) < share
