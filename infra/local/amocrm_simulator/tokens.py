"""Bearer tokens: what amoCRM knows of one, and the claims that a client can read in it."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from infra.local.amocrm_simulator.world import World


@dataclass
class Token:
    """A bearer token. `name` is the integration's: its requests share one limit."""

    name: str
    user_id: int
    expires_at: datetime
    revoked: bool = False


def jwt(world: World, name: str, user_id: int, expires_at: datetime) -> str:
    """The claims of a real token (amoCRM API: OAuth). The signature is none: no key to check it is published."""
    now = world.timestamp()
    claims = {
        "aud": str(uuid.uuid5(uuid.NAMESPACE_URL, name)),
        "jti": world.hex(80),
        "iat": now,
        "nbf": now,
        "exp": int(expires_at.timestamp()),
        "sub": str(user_id),
        "grant_type": "",
        "account_id": world.account_id,
        "base_domain": world.domain,
        "version": 2,
        "scopes": ["crm", "files", "notifications"],
        "api_domain": f"api-b.{world.host}",
    }
    signed = f"{_base64({'typ': 'JWT', 'alg': 'RS256', 'jti': claims['jti']})}.{_base64(claims)}"
    return f"{signed}.{hashlib.sha512(signed.encode()).hexdigest()}"


def _base64(claims: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
