"""/_sim: what people do and what they were sent, for whoever watches from outside. Not a part of Google."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, g, request

from infra.local.google_simulator import problems
from infra.local.google_simulator.hands import Hands, NoSuchEvent

api = Blueprint("google_sim", __name__, url_prefix="/_sim")


@api.get("/notifications")
def notifications() -> Response:
    """Every mail to guests, in order."""
    return _answer([asdict(each) | {"at": each.at.isoformat()} for each in g.world.notifications])


@api.get("/requests")
def requests() -> Response:
    """How often each method was called, without what comes from outside."""
    counted = {f"{method} {path}": count for (method, path), count in g.world.requests.by_path.items()}
    return _answer({"total": g.world.requests.total, "by_path": counted})


@api.post("/answer")
def answer() -> Response:
    """{event_id, email, response, comment}"""
    return _done(lambda body, hands: hands.answer(body["event_id"], body["email"], body["response"], _comment(body)))


@api.post("/move")
def move() -> Response:
    """{event_id, start, end}"""
    return _done(lambda body, hands: hands.move(body["event_id"], _moment(body["start"]), _maybe(body.get("end"))))


@api.post("/delete")
def delete() -> Response:
    """{event_id}"""
    return _done(lambda body, hands: hands.delete(body["event_id"]))


@api.post("/conference")
def conference() -> Response:
    """{event_id or meeting_code, start, end}: people met there."""
    return _done(
        lambda body, hands: hands.hold_conference(
            body.get("event_id") or body["meeting_code"], _moment(body["start"]), _maybe(body.get("end"))
        )
    )


@api.post("/out_of_office")
def out_of_office() -> Response:
    """{email, start, end}"""
    return _done(lambda body, hands: hands.out_of_office(body["email"], _moment(body["start"]), _moment(body["end"])))


@api.post("/busy")
def busy() -> Response:
    """{email, start, end}"""
    return _done(lambda body, hands: hands.busy(body["email"], _moment(body["start"]), _moment(body["end"])))


@api.post("/users")
def users() -> Response:
    """{email, timezone, can_record, kind}"""
    return _done(lambda body, _: g.world.add_user(**body))


@api.post("/switches")
def switches() -> Response:
    """Any of the switches, by name."""
    return _done(lambda body, _: g.world.switch(**body))


@api.post("/revoke")
def revoke() -> Response:
    """{credential}: a refresh token, a service account's e-mail or a user's; nothing for all."""

    def all_of_them(body: dict[str, Any], _: Hands) -> None:
        known = [*g.world.refresh_tokens, *g.world.service_accounts]
        for credential in [body["credential"]] if "credential" in body else known:
            g.world.revoke(credential)

    return _done(all_of_them)


def _done(act: Callable[[dict[str, Any], Hands], object]) -> Response:
    try:
        body = json.loads(request.get_data() or b"{}")
        act(body, Hands(g.world))
    except NoSuchEvent as missing:
        return _answer({"error": f"no such event: {missing}"}, 404)
    except problems.Refused as refused:
        return _answer(refused.body, refused.status)
    except (KeyError, TypeError, ValueError) as error:
        return _answer({"error": f"{type(error).__name__}: {error}"}, 400)
    return _answer({"done": True})


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _maybe(text: str | None) -> datetime | None:
    return None if text is None else _moment(text)


def _comment(body: dict[str, Any]) -> str:
    return str(body.get("comment") or "")


def _answer(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body, ensure_ascii=False), status, content_type="application/json")
