"""OAuth of an integration: one code, then pairs of tokens whose refresh half works once (amoCRM API: OAuth)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.local.amocrm_simulator.world import World

CODE_LIVES = timedelta(minutes=20)
ACCESS_LIVES = timedelta(seconds=86400)
REFRESH_LIVES = timedelta(days=90)


@dataclass
class Integration:
    """What amoCRM knows of an integration; `code` and `refresh_token` are the only valid ones, each used once."""

    name: str
    client_id: str
    client_secret: str
    redirect_uri: str
    user_id: int
    code: str | None
    code_expires_at: datetime
    refresh_token: str | None = None
    refresh_expires_at: datetime | None = None


class GrantRefused(Exception):
    """`hint` is None when the client itself is unknown."""

    def __init__(self, hint: str | None) -> None:
        super().__init__(hint)
        self.hint = hint


def add_integration(
    world: World, name: str, user_id: int, redirect_uri: str = "https://app.example/amo"
) -> Integration:
    """An integration that this user has just consented to; its code waits to be exchanged."""
    with world.lock:
        integration = Integration(
            name=name,
            client_id=world.uuid(),
            client_secret=world.hex(64),
            redirect_uri=redirect_uri,
            user_id=user_id,
            code=world.hex(128),
            code_expires_at=world.clock.now() + CODE_LIVES,
        )
        world.integrations[integration.client_id] = integration
        return integration


def exchange(world: World, request: dict[str, object]) -> dict[str, object]:
    """Code or refresh token for a new pair; raises GrantRefused."""
    integration = world.integrations.get(str(request.get("client_id")))
    if integration is None or (request.get("client_secret"), request.get("redirect_uri")) != (
        integration.client_secret,
        integration.redirect_uri,
    ):
        raise GrantRefused(None)
    grants = {"authorization_code": _take_code, "refresh_token": _take_refresh_token}
    grant = grants.get(str(request.get("grant_type")))
    if grant is None or not grant(world, integration, request):
        raise GrantRefused(
            "Token has been revoked" if grant is _take_refresh_token else "Authorization code is invalid"
        )
    return _new_pair(world, integration)


def _take_code(world: World, integration: Integration, request: dict[str, object]) -> bool:
    if integration.code is None or integration.code != request.get("code"):
        return False
    integration.code = None
    return world.clock.now() < integration.code_expires_at


def _take_refresh_token(world: World, integration: Integration, request: dict[str, object]) -> bool:
    expires_at = integration.refresh_expires_at
    known = integration.refresh_token is not None and integration.refresh_token == request.get("refresh_token")
    return known and expires_at is not None and world.clock.now() < expires_at


def _new_pair(world: World, integration: Integration) -> dict[str, object]:
    integration.refresh_token = world.hex(128)
    integration.refresh_expires_at = world.clock.now() + REFRESH_LIVES
    access_token = world.add_token(integration.name, integration.user_id, lifetime=ACCESS_LIVES)
    return {
        "token_type": "Bearer",
        "expires_in": int(ACCESS_LIVES.total_seconds()),
        "access_token": access_token,
        "refresh_token": integration.refresh_token,
    }
