"""The words of tables that shops, gyms and clinics export: headings, events, statuses, in Russian and English. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from functions.shared import facts


def spelt(text: str) -> str:
    """One spelling of a heading or a word: lower case, е for ё, one space, no stops."""
    known = unicodedata.normalize("NFKC", text.replace("№", " ")).casefold().replace("ё", "е").replace("_", " ")
    return re.sub(r"\s+", " ", re.sub(r"[.:*\"«»]", " ", known)).strip()


def _table(**words: str) -> Mapping[str, str]:
    return {word: name for name, listed in words.items() for word in _listed(listed)}


def _listed(words: str) -> list[str]:
    return [spelt(word) for word in words.split(",")]


HEADINGS = _table(
    phone="телефон,тел,номер телефона,мобильный,мобильный телефон,телефон клиента,phone,phone number,mobile",
    email="почта,email,e-mail,mail,эл. почта,электронная почта,емейл,имейл",
    ext="карта,номер карты,id клиента,код клиента,клиент id,штрихкод,ext,client id,customer id,user id,card",
    crm_id="id контакта,контакт id,crm id,contact id",
    date="дата,дата события,дата посещения,дата визита,дата покупки,дата оплаты,дата занятия,дата и время,date,"
    "datetime,date and time,at,timestamp",
    time="время,время начала,время события,time",
    event="событие,тип,тип события,вид,операция,event,type,event type",
    status="статус,посещение,явка,результат,status,attendance,outcome",
    price="сумма,стоимость,цена,итого,к оплате,price,amount,total,sum",
    id="id,номер,номер записи,id записи,номер чека,номер заказа,event id,record id,order id,receipt",
    session_id="id занятия,номер занятия,session id,booking id",
    subscription_id="абонемент,номер абонемента,договор,номер договора,subscription id,contract",
    start="начало,начало занятия,start",
    end="окончание,дата окончания,действует до,действителен до,конец,end,valid until,end date",
    visits_left="остаток,осталось занятий,осталось посещений,visits left",
    score="оценка,балл,nps,score,rating",
    birthday="дата рождения,день рождения,др,birthday,date of birth",
    frozen_from="заморозка с,начало заморозки,frozen from",
    frozen_to="заморозка по,конец заморозки,frozen to",
    by="кто отменил,отменил,by,cancelled by",
    late="поздно,поздняя отмена,late",
    left_out="фио,имя,фамилия,отчество,клиент,имя клиента,контакт,name,first name,last name,full name,client,customer,"
    "комментарий,примечание,заметка,заметки,comment,note,notes,адрес,address,паспорт",
)
"""By heading what its cells say. What a person is called, or what was noted of him, is of no use here and left out."""

EVENTS = _table(
    **{
        facts.VISIT_ATTENDED: "пришел,пришла,посетил,посетила,посещение,визит,был,была,явился,явилась,явка,приход,вход,"
        "visit,visited,attended,came,arrived,check-in,1",
        facts.VISIT_MISSED: "не пришел,не пришла,неявка,пропустил,пропустила,пропуск,прогул,не был,не была,не явился,"
        "не явилась,missed,no-show,no show,noshow,absent,-1",
        facts.SESSION_BOOKED: "записан,записана,записался,записалась,забронировал,бронь,ожидание,ожидает,подтвердил,"
        "подтвержден,booked,booking,waiting,confirmed,0,2",
        facts.SESSION_CANCELLED: "отмена,отменен,отменена,отменено,отменил,отменила,cancelled,canceled,cancellation",
        facts.PURCHASE_COMPLETED: "покупка,купил,купила,оплата,оплатил,оплатила,продажа,чек,заказ,purchase,paid,"
        "payment,sale,order",
        facts.PURCHASE_REFUNDED: "возврат,вернул,вернула,refund,refunded,return",
        facts.SUBSCRIPTION_STARTED: "абонемент,новый абонемент,покупка абонемента,начало абонемента,subscription,"
        "subscribed,new subscription",
        facts.SUBSCRIPTION_RENEWED: "продление,продлил,продлила,продлен,продление абонемента,renewal,renewed",
        facts.SUBSCRIPTION_FROZEN: "заморозка,заморозил,заморозила,заморожен,freeze,frozen",
        facts.SUBSCRIPTION_UNFROZEN: "разморозка,разморозил,разморозила,разморожен,unfreeze,unfrozen",
        facts.SUBSCRIPTION_CANCELLED: "расторжение,расторг,расторгла,отмена абонемента,subscription cancelled",
        facts.NPS_RESPONDED: "оценка,отзыв,опрос,nps,survey,rating",
        facts.PROFILE_UPDATED: "профиль,анкета,карточка клиента,profile",
    }
)
"""The numbers are what YCLIENTS writes into `attendance`: 1 came, −1 did not, 0 and 2 are still to come."""

SESSION = _listed("занятие,тренировка,запись,урок,прием,сеанс,session,class,training,lesson")
"""Events that only their status makes one of ours."""

SESSION_TYPES = frozenset({facts.VISIT_ATTENDED, facts.VISIT_MISSED, facts.SESSION_BOOKED, facts.SESSION_CANCELLED})

DONE = _listed("оплачен,оплачена,оплачено,проведен,завершен,успешно,активен,да,paid,done,ok,active")
"""Statuses that add nothing: the event has happened."""

SIDES = _table(client="клиент,клиентом,сам,client", club="клуб,клубом,студия,админ,администратор,салон,мы,club,staff")
FLAGS = dict.fromkeys(_listed("да,yes,true,1,+"), True) | dict.fromkeys(_listed("нет,no,false,0,-"), False)

_OWN_TYPE = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)+")


def type_of(event: str, status: str) -> str | None:
    """The type that a row's words mean; None for words that nobody has taught us. Types of our own, and others with a
    dot in them, mean themselves."""
    said, outcome = spelt(event), spelt(status)
    own = _OWN_TYPE.fullmatch(event.strip().casefold())
    kind = own[0] if own else EVENTS.get(said)
    if kind is None and said and said not in SESSION:
        return None
    if kind is None or kind in SESSION_TYPES:
        return EVENTS.get(outcome) if outcome and outcome not in DONE else kind
    if not outcome or outcome in DONE or EVENTS.get(outcome) == kind:
        return kind
    return facts.PURCHASE_REFUNDED if EVENTS.get(outcome) == facts.PURCHASE_REFUNDED else None
