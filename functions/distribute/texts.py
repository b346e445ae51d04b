"""What the manager reads on the card. Texts depend on the stored decision alone: a text is also the marker by which
a repeated run recognises its own task and note."""

from __future__ import annotations

from functions.shared.assignment import Assignment, HandOver, Mode, Standing
from functions.shared.channels import channel_name
from functions.shared.department import Department, Team
from functions.shared.fairness import UNIT
from functions.shared.people import known_name, name_of

_TEXTS = {
    "ru": {
        "task": "Новый лид: {channel}. Ответить клиенту в течение {minutes} мин",
        "handed_task": "Лид передан из «{pipeline}». Связаться с клиентом в течение {minutes} мин",
        "handed": "Передан из «{pipeline}».",
        "handed_by": "Передан из «{pipeline}», прежний менеджер: {previous}.",
        Mode.FAIR: "Conveyor: лид получает {owner}, очередь по справедливости. {balance}",
        Mode.OWN_CLIENT: "Conveyor: лид получает {owner}, это его (её) клиент. Очередь остальных не тронута.",
        Mode.MANUAL: "Conveyor: лид остаётся у {owner}, так решил человек. Очередь остальных не тронута.",
        Mode.DUTY: "Conveyor: лид получает дежурный {owner}, больше никто не может взять его сейчас.",
        "alone": "Больше никто не мог взять его сейчас.",
        "owed": "Наибольший недобор из тех, кто мог взять ({considered}): всего {total}, канал {channel} {in_channel}.",
        "excluded": "Не могли взять: {excluded}.",
        "unknown_user": "нет в amoCRM",
        "switched_off": "отключён в amoCRM",
        "no_rights": "нет прав на сделки",
        "paused": "пауза",
        "absent": "отсутствует",
        "off_shift": "не его смена",
        "channel": "другой канал",
        "max_open": "предел открытых сделок",
        "max_per_day": "дневной предел",
    },
    "en": {
        "task": "New lead: {channel}. Answer the client within {minutes} min",
        "handed_task": "Handed over from “{pipeline}”. Get in touch with the client within {minutes} min",
        "handed": "Handed over from “{pipeline}”.",
        "handed_by": "Handed over from “{pipeline}”, until now with {previous}.",
        Mode.FAIR: "Conveyor: the lead goes to {owner}, fairly next. {balance}",
        Mode.OWN_CLIENT: "Conveyor: the lead goes to {owner}, whose client it is. Nobody else's turn was spent.",
        Mode.MANUAL: "Conveyor: the lead stays with {owner}, a person chose so. Nobody else's turn was spent.",
        Mode.DUTY: "Conveyor: the lead goes to {owner} on duty; nobody else can take it now.",
        "alone": "Nobody else could take it now.",
        "owed": "Of those who could take it ({considered}) owed the most: {total} in total, {in_channel} in {channel}.",
        "excluded": "Could not take it: {excluded}.",
        "unknown_user": "not in amoCRM",
        "switched_off": "switched off in amoCRM",
        "no_rights": "no rights on leads",
        "paused": "paused",
        "absent": "away",
        "off_shift": "off shift",
        "channel": "other channel",
        "max_open": "cap of open leads",
        "max_per_day": "cap of the day",
    },
}


def task_text(assignment: Assignment, department: Department, team: Team) -> str:
    """The first-answer task."""
    words, minutes = _TEXTS[department.language], team.first_answer.within_minutes
    if assignment.handed_over:
        return words["handed_task"].format(pipeline=_origin(assignment.handed_over, department), minutes=minutes)
    return words["task"].format(channel=channel_name(assignment.channel, department.language), minutes=minutes)


def why_note(assignment: Assignment, department: Department) -> str:
    """The short note: who got the lead and why, where it comes from, who could not take it."""
    words = _TEXTS[department.language]
    parts = [
        words[assignment.mode]
        .format(owner=name_of(department, assignment.owner), balance=_balance(assignment, department))
        .strip()
    ]
    if assignment.handed_over:
        parts.append(_handed(assignment, assignment.handed_over, department))
    excluded = [
        f"{name_of(department, user_id)} ({words[rule]})"
        for rule, user_ids in assignment.excluded.items()
        for user_id in user_ids
    ]
    if excluded:
        parts.append(words["excluded"].format(excluded=", ".join(excluded)))
    return " ".join(parts)


def _handed(assignment: Assignment, handed: HandOver, department: Department) -> str:
    """Where the lead comes from, and who had it: not the new owner himself, if a person gave it to him before, nor the
    token's user or a robot, whom nobody can ask."""
    words, pipeline = _TEXTS[department.language], _origin(handed, department)
    before = (user for user in (handed.previous_owner, *assignment.predecessors) if user != assignment.owner)
    previous = next(filter(None, (known_name(department, user) for user in before)), None)
    if previous is None:
        return words["handed"].format(pipeline=pipeline)
    return words["handed_by"].format(pipeline=pipeline, previous=previous)


def _origin(handed: HandOver, department: Department) -> str:
    """What the firm calls the pipeline that the lead comes from."""
    role = handed.from_place.partition(".")[0]
    return next((pipeline.name for pipeline in department.pipelines if pipeline.role == role), role)


def _balance(assignment: Assignment, department: Department) -> str:
    """Why he of all who could take the lead: what he is owed with his claim on it."""
    words = _TEXTS[department.language]
    if len(assignment.considered) == 1:
        return words["alone"]
    mine = next(standing for standing in assignment.considered if standing.user_id == assignment.owner)
    return words["owed"].format(
        considered=", ".join(name_of(department, standing.user_id) for standing in assignment.considered),
        total=_leads(mine, mine.total, department.language),
        in_channel=_leads(mine, mine.channel, department.language),
        channel=channel_name(assignment.channel, department.language),
    )


def _leads(standing: Standing, deficit: int, language: str) -> str:
    """What he is owed with his claim on this lead, in leads: `0,62`."""
    text = f"{(deficit + standing.claim) / UNIT:.2f}"
    return text.replace(".", ",") if language == "ru" else text
