"""/oauth2/access_token (amoCRM API: OAuth)."""

from __future__ import annotations

import json

from flask import Blueprint, Response, request

from infra.local.amocrm_simulator.api.common import the_world
from infra.local.amocrm_simulator.authorisation import GrantRefused, exchange

api = Blueprint("oauth", __name__)

PROBLEM_TYPE = "https://developers.amocrm.ru/v3/errors/OAuthProblemJson"


@api.post("/oauth2/access_token")
def access_token() -> Response:
    sent = request.get_json(force=True, silent=True)
    try:
        pair = exchange(the_world(), sent if isinstance(sent, dict) else {})
    except GrantRefused as refused:
        return Response(json.dumps(_problem(refused), ensure_ascii=False), 401, content_type="application/problem+json")
    return Response(json.dumps(pair), content_type="application/json")


def _problem(refused: GrantRefused) -> dict[str, object]:
    if refused.hint is None:
        detail = "Авторизация клиента не прошла"
        return {"title": "Некорректный клиент", "type": PROBLEM_TYPE, "status": 401, "detail": detail}
    detail = "В запросе отсутствует ряд параметров или параметры невалидны"
    return {
        "hint": refused.hint,
        "title": "Некорректный запрос",
        "type": PROBLEM_TYPE,
        "status": 401,
        "detail": detail,
    }
