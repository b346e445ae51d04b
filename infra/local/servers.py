"""WSGI apps on ports of this machine only."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Self

from functions.shared.errors import BadInput

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

HOST = "127.0.0.1"
THREADS = 8
LARGEST_BODY = 11 * 1024 * 1024
"""A little above the gateway's limit, so that the gateway itself refuses what is too large."""


class PortTaken(BadInput):
    """Somebody else listens there."""


class Server(AbstractContextManager["Server"]):
    """One app on one port; port 0 takes any free one. Binds at construction; raises PortTaken."""

    def __init__(self, name: str, app: WSGIApplication, port: int) -> None:
        from waitress import create_server

        try:
            self._server = create_server(
                app,
                host=HOST,
                port=port,
                threads=THREADS,
                max_request_body_size=LARGEST_BODY,
                ident=None,
            )
        except OSError as error:
            raise PortTaken(f"port {port} for {name} cannot be used ({error.strerror}): choose another one") from error
        self.url = f"http://{HOST}:{self._server.effective_port}"
        self._thread = threading.Thread(target=self._server.run, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.task_dispatcher.shutdown()  # first: a worker that ends would wake a loop that is gone
        self._server.trigger.pull_trigger(self._close)
        self._thread.join()

    def _close(self) -> None:
        """Runs in the server's own thread: its loop must not find a closed socket."""
        for channel in list(self._server.active_channels.values()):
            channel.handle_close()
        self._server.close()
