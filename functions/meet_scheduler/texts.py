"""What people read: on the card, in the invitation. The texts of the card name nobody and hold no address, as they are
stored until they are written."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from functions.shared.department import Department
from functions.shared.meetings import Span

_TEXTS = {
    "ru": {
        "title": "Созвон: {department} и {client}",
        "title_alone": "Созвон: {department}",
        "description": "Онлайн-встреча. Ваш менеджер: {manager}. Если время не подходит, отклоните приглашение.",
        "standup": "Планёрка команды {team}. Изменить время и состав: department.yaml.",
        "booked": "Встреча {when}. Ссылка: {link}",
        "booked_without_link": "Встреча {when}. Ссылки на видеовстречу пока нет.",
        "link": "Ссылка на встречу {when}: {link}",
        "no_link": "Календарь не даёт ссылку на видеовстречу {when}: договоритесь с клиентом о другом способе связи.",
        "moved": "Встреча перенесена: {when}. Ссылка прежняя: {link}",
        "moved_by_hand": "Встречу перенесли в календаре: {when}. Срок задачи изменён.",
        "dropped": "Встречу удалили в календаре. Чтобы назначить её снова, измените время задачи.",
        "invited": "Приглашение клиенту отправлено.",
        "no_client": "К сделке не привязан контакт: приглашён только менеджер. Отправьте ссылку клиенту сами.",
        "no_email": "У контакта нет e-mail: приглашён только менеджер. Отправьте ссылку сами или заполните e-mail.",
        "bad_email": "E-mail контакта с ошибкой: приглашён только менеджер. Исправьте e-mail, и приглашение уйдёт.",
        "busy": "В календаре менеджера это время занято. Свободно: {slots}.",
        "busy_all_week": "В календаре менеджера это время занято, и за неделю в рабочие часы свободного времени нет.",
        "cancelled": "Встреча отменена: {why}.",
        "completed": "задача завершена до начала",
        "deleted": "задача удалена",
        "other_type": "тип задачи изменён",
        "lead_lost": "сделка закрыта",
        "lead_gone": "сделка удалена",
        "field_empty": "в карточке больше нет времени встречи",
        "no_time": "у задачи больше нет времени",
        "past": "время прошло",
        "no_host": "у сделки нет менеджера",
        "off": "встречи в Conveyor выключены",
        "ask_time": "Укажите в задаче время, а не только день: тогда появится встреча со ссылкой.",
        "ask_future": "Время встречи уже прошло, поэтому ссылки нет. Перенесите задачу на будущее время.",
        "ask_host": "У сделки нет менеджера: встреча появится, когда он будет назначен.",
        "declined": "Клиент отклонил встречу {when}. Связаться и договориться о другом времени.",
        "host_declined": "Менеджер отклонил встречу {when} в календаре.",
        "trouble": "Встреча {when} не попала в календарь: он отвечает отказом. Руководителю: conveyor meetings doctor.",
        "refused": "Встреча {when} не попала в календарь: он не принимает её данные. Проверьте время и e-mail.",
        "recording": "Запись встречи {when}{length}: {link}",
        "length": " ({minutes} мин)",
        "client_clock": "{time} у клиента",
        "days": ("пн", "вт", "ср", "чт", "пт", "сб", "вс"),
    },
    "en": {
        "title": "Call: {department} and {client}",
        "title_alone": "Call: {department}",
        "description": "Online meeting. Your manager: {manager}. If the time does not suit you, decline.",
        "standup": "Stand-up of the team {team}. To change time or people: department.yaml.",
        "booked": "Meeting {when}. Link: {link}",
        "booked_without_link": "Meeting {when}. There is no video link yet.",
        "link": "Link of the meeting {when}: {link}",
        "no_link": "The calendar gives no video link for {when}: agree with the client on another way to talk.",
        "moved": "The meeting was moved: {when}. The link is the same: {link}",
        "moved_by_hand": "The meeting was moved in the calendar: {when}. The task's deadline follows.",
        "dropped": "The meeting was deleted in the calendar. To book it again, change the time of the task.",
        "invited": "The client has the invitation.",
        "no_client": "No contact hangs on the lead: only the manager is invited. Send the client the link.",
        "no_email": "The contact has no e-mail: only the manager is invited. Send the link, or fill in the e-mail.",
        "bad_email": "The contact's e-mail is misspelt: only the manager is invited. Correct it to invite the client.",
        "busy": "The manager's calendar is busy at that time. Free: {slots}.",
        "busy_all_week": "The manager's calendar is busy at that time, and no working hour of the week is free.",
        "cancelled": "The meeting was cancelled: {why}.",
        "completed": "the task was completed before it began",
        "deleted": "the task was deleted",
        "other_type": "the task is of another type now",
        "lead_lost": "the lead was closed",
        "lead_gone": "the lead was deleted",
        "field_empty": "the card no longer says when",
        "no_time": "the task no longer says at what time",
        "past": "its time has passed",
        "no_host": "the lead has no manager",
        "off": "meetings are switched off in Conveyor",
        "ask_time": "Give the task a time, not only a day: then there will be a meeting with a link.",
        "ask_future": "The time of the meeting has passed, so there is no link. Move the task into the future.",
        "ask_host": "The lead has no manager: the meeting will be booked when it has one.",
        "declined": "The client declined the meeting {when}. Get in touch and agree on another time.",
        "host_declined": "The manager declined the meeting {when} in the calendar.",
        "trouble": "The meeting {when} is not in the calendar, which refuses. For the head: conveyor meetings doctor.",
        "refused": "The meeting {when} is not in the calendar: it does not take its data. Check time and e-mail.",
        "recording": "Recording of the meeting {when}{length}: {link}",
        "length": " ({minutes} min)",
        "client_clock": "{time} for the client",
        "days": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    },
}


def say(department: Department, name: str, /, **values: object) -> str:
    return str(_TEXTS[department.language][name]).format(**values)


def title(department: Department, client: str) -> str:
    """What stands in everybody's calendar, the client's too: so nothing of the card but his name."""
    return (
        say(department, "title", department=department.name, client=client)
        if client
        else say(department, "title_alone", department=department.name)
    )


def description(department: Department, manager: str) -> str:
    return say(department, "description", manager=manager)


def when(department: Department, at: datetime, client_zone: str = "") -> str:
    """«вт 01.12 15:00 (Europe/Moscow), 17:00 у клиента (Asia/Omsk)»"""
    local = at.astimezone(department.timezone)
    text = f"{_day(department, local)} {local:%H:%M} ({department.timezone.key})"
    if client_zone:
        theirs = at.astimezone(ZoneInfo(client_zone))
        time = f"{theirs:%H:%M}" if theirs.date() == local.date() else f"{_day(department, theirs)} {theirs:%H:%M}"
        if theirs.utcoffset() != local.utcoffset():
            text += f", {say(department, 'client_clock', time=time)}{_named(client_zone)}"
    return text


def slots(department: Department, free: Sequence[Span]) -> str:
    local = (each.start.astimezone(department.timezone) for each in free)
    return ", ".join(f"{_day(department, each)} {each:%H:%M}" for each in local)


def _day(department: Department, local: datetime) -> str:
    return f"{_TEXTS[department.language]['days'][local.weekday()]} {local:%d.%m}"


def _named(zone: str) -> str:
    """Etc/GMT-5 would tell people the opposite of what it means."""
    return "" if zone.startswith("Etc/") else f" ({zone})"
