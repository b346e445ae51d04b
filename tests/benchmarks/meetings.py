"""What meetings cost in requests: the scheduler with its real adapter before the simulator of Google, amoCRM in memory.

The floor is what nobody can do without: a change of the calendar is one request, whether somebody is busy another, a
link that records itself two (its name, and the switch), a recording two (who met, and the file).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from tests.builders import BORIS
from tests.google_support import HOST, GoogleDesk
from tests.meet_desk import PLANERKA, MeetDesk, make_plan

TICKS_A_DAY = 24 * 60 // 5


def run() -> dict[str, Any]:
    return {
        "rows": [*_call(), *_standups()],
        "goal": "a step of a call is its floor; a quiet day does not grow with the number of stand-ups",
        "baseline": "a scheduler that re-reads every event at each look: 288 requests a day and event",
    }


@dataclass
class Meter:
    """Requests of Google by method and path, and of amoCRM by method of the port, since the last look."""

    desk: MeetDesk
    google: GoogleDesk

    def __post_init__(self) -> None:
        self._google: Counter[tuple[str, str]] = Counter()
        self._amocrm = 0
        self.look()

    def look(self) -> tuple[Counter[str], int]:
        """Since the last look: what was asked of Google, by kind; how much of amoCRM."""
        google, amocrm = Counter(self.google.world.requests.by_path), sum(self.desk.amocrm.calls.values())
        kinds: Counter[str] = Counter()
        for (method, path), count in (google - self._google).items():
            kinds["tokens" if path == "/token" else f"{method} {path}"] += count
        asked, self._google, self._amocrm = amocrm - self._amocrm, google, amocrm
        return kinds, asked


def _desk(**plan: Any) -> tuple[MeetDesk, GoogleDesk]:
    desk = MeetDesk(plan=make_plan(host=HOST, **plan))
    google = GoogleDesk(desk.clock, "service_account")
    for user_id in range(11, 20):
        google.world.add_user(f"user{user_id}@firm.example")
    desk.calendar = google.adapter()  # type: ignore[assignment]
    desk.restart()
    desk.tick()
    return desk, google


def _call() -> list[dict[str, Any]]:
    """The life of one call, from the task to the recording on the card. Tokens are counted with the stand-ups."""
    desk, google = _desk()
    meter = Meter(desk, google)
    rows: list[dict[str, Any]] = []

    def measured(name: str, floor: int, step: Callable[[], object]) -> None:
        step()
        kinds, amocrm = meter.look()
        rows.append(_row(f"call: {name}", kinds.total() - kinds["tokens"], floor, amocrm))

    lead = desk.lead()
    tasks: list[Any] = []
    measured("booked, records itself", 4, lambda: tasks.append(desk.meeting_task(lead, desk.in_hours(3))))
    measured("the same hook again", 0, lambda: desk.tell(desk.task_hook(tasks[0].id)))
    measured("moved", 2, lambda: desk.edit_task(tasks[0], complete_till=desk.in_hours(5)))
    measured("another manager", 1, lambda: desk.edit_task(tasks[0], responsible_user_id=BORIS))
    other = desk.meeting_task(desk.lead(), desk.in_hours(3))
    meter.look()
    measured("cancelled", 1, lambda: desk.edit_task(other, is_completed=True))
    event = next(event for event in google.world.events[HOST].values() if not event.is_deleted)
    start = desk.in_hours(5)
    google.meet_there(event.id, start, 25)
    desk.clock.moment = start + timedelta(minutes=31)
    desk.tick()
    desk.clock.advance(1500)
    meter.look()
    measured("recording found, with the tick", 3, desk.tick)
    return rows


def _standups() -> list[dict[str, Any]]:
    """The day on which they are made, a quiet day, and one on which somebody falls ill for three."""
    rows = []
    for count in (1, 4):
        desk, google = _desk(standups=tuple(_named(number) for number in range(count)), out_of_office=True)
        meter = Meter(desk, google)
        name = f"{count} stand-up{'s' if count > 1 else ''}"
        quiet = _day(desk, meter)
        changes = quiet["GET /calendar/v3/calendars/<path:calendar>/events"]
        members = changes - TICKS_A_DAY
        rows.append(_row(f"{name}: quiet day, calendar read every 5 min", TICKS_A_DAY, TICKS_A_DAY, 0))
        rows.append(_row(f"{name}: quiet day, out of office of 3 members hourly", members, members, 0))
        rows.append(_row(f"{name}: quiet day, tokens", quiet["tokens"], quiet["tokens"], 0))
        rest = quiet.total() - changes - quiet["tokens"]
        rows.append(_row(f"{name}: quiet day, the events themselves", rest, 0, 0))
        morning = desk.clock.now().replace(hour=0)
        desk.absent(BORIS, morning, morning + timedelta(days=3))
        ill = _day(desk, meter)
        rows.append(_row(f"{name}: a member is ill for 3 days", ill.total() - quiet.total(), 3 * count, 0))
    return rows


def _row(what: str, google: int, floor: int, amocrm: int) -> dict[str, Any]:
    return {"what": what, "google": google, "floor": floor, "amocrm": amocrm or ""}


def _named(number: int) -> Any:
    return replace(PLANERKA, key=f"{PLANERKA.key}-{number}", name=f"Планёрка {number}")


def _day(desk: MeetDesk, meter: Meter) -> Counter[str]:
    meter.look()
    desk.pass_time(days=1)
    return meter.look()[0]
