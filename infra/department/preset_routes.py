"""The article's arrows between the pipelines, in the language of department.yaml, where each can be overridden.

A target without a stage is the pipeline's entry stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_EXCHANGE: dict[str, dict[str, Any]] = {
    "not_target": {
        "when": [{"stage": "exchange.not_target"}, {"in": "exchange", "answer": "not_target"}],
        "close": "not_target",
    },
    "in_conversation": {
        "when": [{"stage": "exchange.in_conversation"}, {"in": "exchange", "answer": "in_conversation"}],
        "merge": True,
    },
    "no_information": {
        "when": [{"stage": "exchange.no_information"}, {"in": "exchange", "answer": "no_information"}],
        "move": "warm_up",
    },
    "qualified": {
        "when": [{"stage": "exchange.qualified"}, {"in": "exchange", "answer": "qualified"}],
        "move": "main",
    },
}

_MAIN: dict[str, dict[str, Any]] = {
    "conditional_refusal": {"when": [{"stage": "main.conditional_refusal"}], "task": {"for": "owner", "due": "1d"}},
    "refused_not_target": {
        "when": [{"stage": "main.conditional_refusal", "answer": "not_target"}],
        "close": "not_target",
    },
    "refused_in_conversation": {
        "when": [{"stage": "main.conditional_refusal", "answer": "in_conversation"}],
        "merge": True,
    },
    "refused_no_information": {
        "when": [{"stage": "main.conditional_refusal", "answer": "no_information"}],
        "move": "warm_up",
    },
    "refused_qualified": {"when": [{"stage": "main.conditional_refusal", "answer": "qualified"}], "move": "main"},
    "not_ready": {"when": [{"stage": "main.not_ready"}], "move": "warm_up"},
    "won": {"when": [{"stage": "main.won"}, {"stage": "exchange.won"}, {"stage": "warm_up.won"}], "copy": "aftercare"},
}

_BEHIND: dict[str, dict[str, Any]] = {
    "warmed": {"when": [{"stage": "warm_up.warmed"}], "move": "back"},
    "long_warm_up": {"when": [{"in": "warm_up", "after": "30d"}], "task": {"for": "marketing", "due": "1d"}},
    "repeat_sale": {"when": [{"stage": "aftercare.offer"}], "copy": "main", "then": "aftercare.in_care"},
}

_TASKS = {
    "conditional_refusal": {
        "ru": "Условный отказ: заполнить поле «Итог квалификации» — карточка уйдёт дальше сама",
        "en": "Conditional refusal: fill in the field “Qualification result”, and the card moves on by itself",
    },
    "long_warm_up": {
        "ru": "Клиент давно на прогреве: решить, вернуть его в работу, греть дальше или закрыть",
        "en": "A long time in warm-up: decide whether to take the client back, go on warming up, or close",
    },
}


def preset_routes(language: str) -> Mapping[str, Mapping[str, Any]]:
    """The routes by name, as department.yaml would write them; the tasks speak Russian (ru) or English (en)."""
    routes = {name: dict(route) for name, route in (_EXCHANGE | _MAIN | _BEHIND).items()}
    for name, texts in _TASKS.items():
        routes[name]["task"] = routes[name]["task"] | {"text": texts[language]}
    return routes
