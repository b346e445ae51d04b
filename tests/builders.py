"""Objects for tests, with everything that a test does not care about filled in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any
from urllib.parse import quote_plus
from zoneinfo import ZoneInfo

from functions.distribute.decision import Candidate, Moment
from functions.shared.department import (
    AFTERCARE,
    EXCHANGE,
    MAIN,
    WARM_UP,
    Department,
    FirstAnswer,
    Member,
    Pipeline,
    Team,
)
from functions.shared.eligibility import Rule
from functions.shared.events import Event
from functions.shared.hours import WorkingHours
from tests.fakes_amocrm import FIRST_STAGE, PIPELINE, UNSORTED_STAGE

MOSCOW = ZoneInfo("Europe/Moscow")
MONDAY_NOON = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
"""12:00 in Moscow on a Monday."""

ANNA, BORIS, VERA, GLEB, INNA, DUTY = 11, 12, 13, 14, 15, 19


def make_member(user_id: int = ANNA, **changes: Any) -> Member:
    names = {ANNA: "Анна", BORIS: "Борис", VERA: "Вера", GLEB: "Глеб", INNA: "Инна"}
    values: dict[str, Any] = {
        "email": f"user{user_id}@firm.example",
        "name": names.get(user_id, f"Менеджер {user_id}"),
        "weight": Fraction(1),
        "hours": WorkingHours.parse("Mon-Fri 09:00-18:00"),
        "timezone": MOSCOW,
    }
    return Member(user_id=user_id, **(values | changes))


def make_team(members: Iterable[Member] | None = None, **changes: Any) -> Team:
    values: dict[str, Any] = {"name": "lead_desk", "levels": frozenset({1, 2, 3}), "first_answer": FirstAnswer(15)}
    people = tuple(members) if members is not None else tuple(make_member(user) for user in (ANNA, BORIS, VERA))
    return Team(members=people, **(values | changes))


def make_department(*teams: Team, **changes: Any) -> Department:
    values: dict[str, Any] = {
        "version": 1,
        "name": "Окна Плюс",
        "subdomain": "demo",
        "account_id": 31_000_001,
        "timezone": MOSCOW,
        "language": "ru",
        "model": "one_level",
        "teams": teams or (make_team(),),
        "pipelines": (Pipeline(EXCHANGE, PIPELINE, "Биржа лидов", FIRST_STAGE, UNSORTED_STAGE),),
    }
    return Department(**(values | changes))


MAIN_PIPELINE, CARE_PIPELINE, WARM_UP_PIPELINE = 3_000_002, 3_000_003, 3_000_004
MAIN_STAGE, CARE_STAGE, WARM_UP_STAGE = 4_000_012, 4_000_022, 4_000_032
SPAM, EXPENSIVE = 5_000_001, 5_000_002
"""Loss reasons: the first gives turns back, the second does not."""


def make_three_levels(*teams: Team, **changes: Any) -> Department:
    """A department whose lead desk (Anna, Boris) qualifies for the closers (Vera, Gleb), and they for Inna's team."""
    desk = make_team([make_member(ANNA), make_member(BORIS)], levels=frozenset({1}))
    closers = make_team([make_member(VERA), make_member(GLEB)], name="closers", levels=frozenset({2}))
    care = make_team([make_member(INNA)], name="care", levels=frozenset({3}))
    values: dict[str, Any] = {
        "model": "three_level",
        "pipelines": (
            Pipeline(EXCHANGE, PIPELINE, "Биржа лидов", FIRST_STAGE, UNSORTED_STAGE, {"talk": FIRST_STAGE}),
            Pipeline(MAIN, MAIN_PIPELINE, "Основная воронка", MAIN_STAGE, stages={"contact": MAIN_STAGE}),
            Pipeline(AFTERCARE, CARE_PIPELINE, "Сопровождение", CARE_STAGE, stages={"in_care": CARE_STAGE}),
            Pipeline(WARM_UP, WARM_UP_PIPELINE, "Прогрев", WARM_UP_STAGE, stages={"in_warm_up": WARM_UP_STAGE}),
        ),
        "loss_reasons": {"spam": SPAM, "expensive": EXPENSIVE},
        "refunds": frozenset({"spam"}),
    }
    given = {team.name: team for team in teams}
    return make_department(*(given.get(team.name, team) for team in (desk, closers, care)), **(values | changes))


def make_moment(
    hindered: Mapping[int, Rule] | None = None, now: datetime = MONDAY_NOON, duty: int | None = None
) -> Moment:
    return Moment(
        now=now,
        day=now.astimezone(MOSCOW).date().isoformat(),
        hindered=hindered or {},
        duty=duty,
        department_version=1,
        lease_until=now + timedelta(seconds=75),
    )


def make_candidate(lead_id: int = 1, channel: str = "site", **changes: Any) -> Candidate:
    values: dict[str, Any] = {"arrived_at": MONDAY_NOON + timedelta(seconds=lead_id)}
    return Candidate(lead_id=lead_id, channel=channel, **(values | changes))


def form(fields: Mapping[str, object]) -> str:
    """A webhook body as amoCRM encodes it."""
    return "&".join(f"{quote_plus(key)}={quote_plus(str(value))}" for key, value in fields.items())


def lead_hook(lead_id: int, action: str = "add", subdomain: str = "demo") -> str:
    return form({"account[subdomain]": subdomain, f"leads[{action}][0][id]": lead_id})


def unsorted_hook(uid: str, lead_id: int, subdomain: str = "demo") -> str:
    item = "unsorted[add][0]"
    return form({"account[subdomain]": subdomain, f"{item}[uid]": uid, f"{item}[lead_id]": lead_id})


def unsorted_end_hook(uid: str, lead_id: int, action: str = "accept") -> str:
    item = "unsorted[delete][0]"
    return form({f"{item}[action]": action, f"{item}[uid]": uid, f"{item}[{action}_result][leads][0]": lead_id})


def bus_message(event: Event, event_id: str = "e1") -> str:
    """The event as EventBridge delivers it."""
    return json.dumps(
        {
            "id": event_id,
            "detail-type": event.detail_type,
            "time": event.occurred_at.isoformat(),
            "detail": event.detail(),
        }
    )


def sqs_record(body: str, message_id: str, sent_at: datetime = MONDAY_NOON, receive_count: int = 1) -> dict[str, Any]:
    return {
        "messageId": message_id,
        "receiptHandle": f"receipt-{message_id}-{receive_count}",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": str(receive_count),
            "SentTimestamp": str(int(sent_at.timestamp() * 1000)),
        },
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:leads",
        "awsRegion": "eu-central-1",
    }
