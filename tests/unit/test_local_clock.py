"""The virtual clock and the internet that the functions see."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from flask import Flask, request

from infra.local.clock import VirtualClock
from infra.local.network import Internet, Post

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SOON = timedelta(seconds=5)


def test_the_clock_runs_by_itself_and_jumps_when_somebody_waits() -> None:
    clock = VirtualClock(START)
    before = clock.now()
    clock.sleep(3600)
    assert timedelta(hours=1) < clock.now() - before < timedelta(hours=1) + SOON
    assert abs(clock.timestamp() - clock.now().timestamp()) < SOON.total_seconds()


def test_the_clock_never_goes_back() -> None:
    clock = VirtualClock(START)
    clock.advance_to(START + timedelta(days=1))
    clock.advance_to(START)
    clock.sleep(-5)
    assert START + timedelta(days=1) <= clock.now() < START + timedelta(days=1) + SOON


def test_no_wait_is_lost_between_threads() -> None:
    clock = VirtualClock(START)
    sleepers = [threading.Thread(target=lambda: [clock.sleep(1) for _ in range(500)]) for _ in range(4)]
    for sleeper in sleepers:
        sleeper.start()
    for sleeper in sleepers:
        sleeper.join()
    assert timedelta(seconds=2000) <= clock.now() - START < timedelta(seconds=2000) + SOON


def echo() -> Flask:
    app = Flask("echo")

    @app.route("/<path:path>", methods=["GET", "POST"])
    def answer(path: str) -> tuple[str, int]:
        return f"{path}: {request.get_data(as_text=True)}", 202

    return app


def test_the_functions_reach_simulated_hosts_and_no_other() -> None:
    with httpx.Client(transport=Internet({"firm.amocrm.ru": echo()})) as client:
        assert client.post("https://firm.amocrm.ru/api", content="x").text == "api: x"
        with pytest.raises(httpx.ConnectError, match=r"other\.amocrm\.ru"):
            client.get("https://other.amocrm.ru/api")


def test_webhooks_reach_the_gateway_with_its_status() -> None:
    post = Post("http://127.0.0.1:8080", echo())
    assert post("http://127.0.0.1:8080/hooks/x", b"a=1", {"Content-Type": "application/x-www-form-urlencoded"}) == 202
    post.close()
