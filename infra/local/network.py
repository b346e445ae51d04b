"""What the functions see as the internet, and how amoCRM's webhooks find the gateway."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

import httpx

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

log = logging.getLogger(__name__)

PATIENCE = 2.0
"""Seconds that amoCRM waits for the receiver of a webhook (amoCRM API: webhooks)."""


class Internet(httpx.BaseTransport):
    """Hosts that simulators play, called without sockets. Any other host cannot be reached."""

    def __init__(self, hosts: Mapping[str, WSGIApplication]) -> None:
        self._hosts = {host: httpx.WSGITransport(app) for host, app in hosts.items()}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        simulator = self._hosts.get(request.url.host)
        if simulator is None:
            raise httpx.ConnectError(f"{request.url.host} does not exist in the local stack", request=request)
        return simulator.handle_request(request)


class Post:
    """How webhooks leave: to `gateway_url` without sockets, anywhere else over the network. Use as `HookCourier`'s
    `post`."""

    def __init__(self, gateway_url: str, gateway: WSGIApplication) -> None:
        self._client = httpx.Client(
            timeout=PATIENCE,
            follow_redirects=False,
            trust_env=False,
            mounts={gateway_url: httpx.WSGITransport(gateway)},
        )

    def __call__(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        """The status of the answer, 0 for none."""
        try:
            return self._client.post(url, content=body, headers=headers).status_code
        except httpx.HTTPError as error:
            log.warning("a webhook was not delivered: %s", type(error).__name__)
            return 0

    def close(self) -> None:
        self._client.close()


class Courier(Protocol):
    """`HookCourier` of a simulator."""

    def next_due(self) -> datetime | None: ...

    def deliver_due(self) -> int: ...


class Deliveries:
    """A courier's round as a `Source` of the timeline."""

    clockwork = False

    def __init__(self, courier: Courier) -> None:
        self._courier = courier

    def next_due(self) -> datetime | None:
        return self._courier.next_due()

    def run_due(self) -> None:
        self._courier.deliver_due()

    def gathering_until(self) -> None:
        """Hooks leave one by one."""
