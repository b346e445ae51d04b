"""Webhooks to receivers outside of the stack: amoCRM waits two seconds, and follows nobody."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask, redirect
from werkzeug.wrappers import Response

from infra.local.network import Post
from infra.local.servers import Server


@contextmanager
def receiver() -> Iterator[str]:
    app, wake = Flask("receiver"), threading.Event()

    @app.post("/slow")
    def slow() -> str:
        wake.wait(4)
        return "late"

    @app.post("/moved")
    def moved() -> Response:
        return redirect("/slow")

    @app.post("/good")
    def good() -> tuple[str, int]:
        return "", 204

    with Server("receiver", app, 0) as server:
        yield server.url
        wake.set()


def test_what_a_webhook_is_answered_with() -> None:
    with receiver() as url:
        post = Post("http://127.0.0.1:1", Flask("nobody"))
        assert post(f"{url}/good", b"a=1", {}) == 204
        assert post(f"{url}/moved", b"a=1", {}) == 302
        started = time.monotonic()
        assert post(f"{url}/slow", b"a=1", {}) == 0
        assert 1.5 < time.monotonic() - started < 3.5
        post.close()


def test_a_receiver_that_is_not_there_gives_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    post = Post("http://127.0.0.1:1", Flask("nobody"))
    assert post(f"http://127.0.0.1:{port}/x", b"a=1", {}) == 0
    post.close()
