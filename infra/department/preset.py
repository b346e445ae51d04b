"""The article's department: what a firm gets that says nothing else.

Stage keys are what the rest of Conveyor goes by; the names are what people see in amoCRM. Colours are from amoCRM's
palette, anything else is refused (amoCRM API: pipelines and stages).
"""

from __future__ import annotations

from dataclasses import dataclass

from functions.shared.department import AFTERCARE, EXCHANGE, MAIN, WARM_UP

HOURS = "Mon-Fri 09:00-18:00"

MODELS: dict[str, tuple[frozenset[int], ...]] = {
    "one_level": (frozenset({1, 2, 3}),),
    "two_level_lead_desk": (frozenset({1}), frozenset({2, 3})),
    "two_level_aftercare": (frozenset({1, 2}), frozenset({3})),
    "three_level": (frozenset({1}), frozenset({2}), frozenset({3})),
}
"""The levels of each team, in the order in which the file lists its teams."""

COLORS = (
    *("#fffeb2", "#fffd7f", "#fff000", "#ffeab2", "#ffdc7f", "#ffce5a", "#ffdbdb", "#ffc8c8", "#ff8f92", "#d6eaff"),
    *("#c1e0ff", "#98cbff", "#ebffb1", "#deff81", "#87f2c0", "#f9deff", "#f3beff", "#ccc8f9", "#eb93ff", "#f2f3f4"),
    "#e6e8ea",
)

WORKING, FORWARD, DOUBT, REFUSED, WAITING = "#d6eaff", "#87f2c0", "#ffdc7f", "#ff8f92", "#ccc8f9"
"""What the preset's colours say: being worked on, goes on to the next team, needs a decision, lost, not now."""


@dataclass(frozen=True)
class Stage:
    key: str
    ru: str
    en: str
    color: str


@dataclass(frozen=True)
class PipelinePreset:
    """`unsorted`: does «Неразобранное» stand at its head? New requests then wait there for an owner."""

    role: str
    ru: str
    en: str
    stages: tuple[Stage, ...]
    unsorted: bool = False


PIPELINES = (
    PipelinePreset(
        EXCHANGE,
        "Биржа лидов",
        "Lead exchange",
        (
            Stage("new", "Новый лид", "New lead", "#98cbff"),
            Stage("qualifying", "В квалификации", "Qualifying", WORKING),
            Stage("qualified", "Квалифицирован", "Qualified", FORWARD),
            Stage("in_conversation", "Уже общаемся (дубль)", "Already talking (duplicate)", DOUBT),
            Stage("no_information", "Не даёт информации", "Gives no information", WAITING),
            Stage("not_target", "Не целевой", "Not our client", REFUSED),
        ),
        unsorted=True,
    ),
    PipelinePreset(
        MAIN,
        "Основная воронка",
        "Main pipeline",
        (
            Stage("received", "Получен от биржи", "Received", "#98cbff"),
            Stage("contact", "Контакт установлен", "In contact", WORKING),
            Stage("needs", "Потребность выявлена", "Needs known", WORKING),
            Stage("offer", "Предложение отправлено", "Offer sent", WORKING),
            Stage("agreement", "Согласование", "Agreeing terms", WORKING),
            Stage("payment", "Договор и оплата", "Contract and payment", FORWARD),
            Stage("conditional_refusal", "Условный отказ", "Conditional refusal", DOUBT),
            Stage("not_ready", "Пока не готов", "Not ready yet", WAITING),
        ),
    ),
    PipelinePreset(
        AFTERCARE,
        "Сопровождение",
        "Aftercare",
        (
            Stage("new_client", "Новый клиент", "New client", "#98cbff"),
            Stage("in_care", "На сопровождении", "In care", WORKING),
            Stage("at_risk", "Может уйти", "At risk", DOUBT),
            Stage("offer", "Допродажа", "Further offer", FORWARD),
        ),
    ),
    PipelinePreset(
        WARM_UP,
        "Прогрев",
        "Warm-up",
        (
            Stage("to_warm", "На прогрев", "To warm up", WAITING),
            Stage("warming", "Прогревается", "Warming up", WORKING),
            Stage("warmed", "Прогрет", "Warmed up", FORWARD),
        ),
    ),
)

LOSS_REASONS = (
    ("not_target", "Не целевой", "Not our client"),
    ("duplicate", "Дубль", "Duplicate"),
    ("no_need", "Нет потребности", "No need"),
    ("expensive", "Дорого", "Too expensive"),
    ("competitor", "Выбрал конкурента", "Chose a competitor"),
    ("no_answer", "Не выходит на связь", "Does not answer"),
    ("spam", "Спам", "Spam"),
)
"""(key, Russian, English)."""

ANSWER_FIELD = ("Итог квалификации", "Qualification result")
ORIGIN_FIELD = ("Исходная сделка", "Original lead")
LINK_FIELD = ("Ссылка на встречу", "Meeting link")
"""Custom fields of leads: (Russian, English)."""

MEETING_TASK_NAME = ("Встреча", "Meeting")
"""amoCRM's own type of task, as its people see it."""

STANDUP_NAME = ("Планёрка", "Stand-up")

ANSWERS = (
    ("not_target", "Не целевой", "Not our client"),
    ("in_conversation", "Уже общаемся", "Already talking"),
    ("no_information", "Не даёт информации", "Gives no information"),
    ("qualified", "Квалифицирован", "Qualified"),
)
"""What «Итог квалификации» may say: (key, Russian, English)."""
