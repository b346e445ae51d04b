"""Every arrow of the department, in every model, from outside: people move cards and answer, and what must follow does.

The tables below are the specification: where the card was, what the person did, where it ends and in whose hands, with
which tasks, notes and loss reason. All rows of a model are played side by side on one stack.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from infra.department.file import load
from infra.department.preset import MODELS
from infra.local.stack import LocalStack
from tests.e2e.arrows import (
    DACHA,
    HEAD,
    MARKETING,
    PRICE,
    START,
    TULA,
    Act,
    Arrive,
    Ask,
    Card,
    Cards,
    Client,
    Floor,
    Script,
    Task,
    born_of,
    contact_fields,
    department,
    members_of,
    open_floor,
)
from tests.e2e.outside import Outside

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LEVEL_OF = {"exchange": 1, "warm_up": 1, "main": 2, "aftercare": 3}

# -- arrows of one card ----------------------------------------------------------------------------------------------

COPY = "go on with the copy"
"""A step that is nobody's act: what follows is done with the card that came out of the last step."""

QUALIFIED = "exchange.qualified"


@dataclass(frozen=True)
class Due:
    """A task that the arrow sets: whose it is (`owner` is the card's), what it says, and how long he has."""

    who: str
    says: str
    within: timedelta


@dataclass(frozen=True)
class NewCard:
    """The card that an arrow makes: in the hands of the level's team, linked to the one it comes from."""

    place: str
    level: int


@dataclass(frozen=True)
class Arrow:
    """What a person does, step by step, to a card in «Новый лид» (a place he moves it to, `+answer` for «Итог
    квалификации», both at once), and what the last step ends in.

    `hands` is the level whose people have the card then; None: whoever had it. The rule behind every row: inside a team
    the manager stays; another team's member gets it, the one who had this client before if there is one. `notes` are
    beginnings or parts of what is written on the card; `answer` is what still stands in the field.
    """

    name: str
    steps: tuple[str, ...]
    ends: str
    hands: int | None = None
    reason: str = ""
    answer: str = ""
    tasks: tuple[Due, ...] = ()
    notes: tuple[str, ...] = ()
    copy: NewCard | None = None


REFUSAL = (QUALIFIED, "main.conditional_refusal")
CLOSED = "Conveyor: сделка закрыта, причина «Не целевой»"
ASK_WHY = Due("owner", "Условный отказ: заполнить поле «Итог квалификации»", DAY)
CARE_CARD = NewCard("aftercare.new_client", 3)
IN_CARE = (QUALIFIED, "main.won", COPY)

ARROWS = (
    # exchange
    Arrow("not target, by the stage", ("exchange.not_target",), "exchange.lost", reason="not_target", notes=(CLOSED,)),
    Arrow(
        "not target, by the answer",
        ("exchange.qualifying", "+not_target"),
        "exchange.lost",
        reason="not_target",
        answer="not_target",
        notes=(CLOSED, "Итог квалификации: Не целевой"),
    ),
    Arrow("no information, by the stage", ("exchange.no_information",), "warm_up.to_warm", 1),
    Arrow("no information, by the answer", ("+no_information",), "warm_up.to_warm", 1),
    Arrow("qualified, by the stage", (QUALIFIED,), "main.received", 2),
    Arrow(
        "qualified, by the answer",
        ("exchange.qualifying", "+qualified"),
        "main.received",
        2,
        notes=("Итог квалификации: Квалифицирован",),
    ),
    Arrow("qualified, stage and answer at once", (f"{QUALIFIED}+qualified",), "main.received", 2),
    Arrow("sold in the exchange", ("exchange.won",), "exchange.won", copy=CARE_CARD),
    # main
    Arrow("won", (QUALIFIED, "main.offer", "main.won"), "main.won", copy=CARE_CARD, notes=("продолжение в",)),
    Arrow("conditional refusal alone", REFUSAL, "main.conditional_refusal", tasks=(ASK_WHY,)),
    Arrow(
        "conditional refusal: not target",
        (*REFUSAL, "+not_target"),
        "main.lost",
        reason="not_target",
        answer="not_target",
        notes=(CLOSED,),
    ),
    Arrow("conditional refusal: no information", (*REFUSAL, "+no_information"), "warm_up.to_warm", 1),
    Arrow("conditional refusal: qualified", (*REFUSAL, "+qualified"), "main.received", 2),
    Arrow(
        "conditional refusal with the answer at once",
        (QUALIFIED, "main.conditional_refusal+no_information"),
        "warm_up.to_warm",
        1,
    ),
    Arrow("not ready", (QUALIFIED, "main.not_ready"), "warm_up.to_warm", 1),
    # warm-up
    Arrow("warmed, back to the exchange", ("exchange.no_information", "warm_up.warmed"), "exchange.new", 1),
    Arrow(
        "warmed, back to main",
        (QUALIFIED, "main.contact", "main.not_ready", "warm_up.warming", "warm_up.warmed"),
        "main.received",
        2,
    ),
    Arrow(
        "warmed twice, each time back to where it came from last",
        ("exchange.no_information", "warm_up.warmed", QUALIFIED, "main.not_ready", "warm_up.warmed"),
        "main.received",
        2,
    ),
    Arrow("sold in warm-up", ("exchange.no_information", "warm_up.won"), "warm_up.won", copy=CARE_CARD),
    # aftercare
    Arrow("repeat sale", (*IN_CARE, "aftercare.offer"), "aftercare.in_care", 3, copy=NewCard("main.received", 2)),
    Arrow(
        "the repeat sale is won: one card in aftercare is enough",
        (*IN_CARE, "aftercare.offer", COPY, "main.won"),
        "main.won",
        notes=("продолжение в",),
    ),
    # by hand, where no route leads
    Arrow("a step inside the pipeline", ("exchange.qualifying",), "exchange.qualifying"),
    Arrow("dragged from the exchange to main", ("main.contact",), "main.contact", 2),
    Arrow("dragged from main back to the exchange", (QUALIFIED, "exchange.qualifying"), "exchange.qualifying", 1),
    Arrow("dragged from main to warm-up", (QUALIFIED, "warm_up.warming"), "warm_up.warming", 1),
    Arrow("dragged from the exchange to aftercare", ("aftercare.in_care",), "aftercare.in_care", 3),
    Arrow("lost by hand", (QUALIFIED, "main.lost"), "main.lost"),
    Arrow("taken up again after a loss", ("exchange.not_target", "exchange.qualifying"), "exchange.qualifying"),
    Arrow(
        "taken up again with the old answer on it",
        ("+not_target", "exchange.qualifying"),
        "exchange.qualifying",
        answer="not_target",
    ),
    Arrow("won by mistake, then taken back", (QUALIFIED, "main.won", "main.offer"), "main.offer"),
)


# -- arrows that need a second card: duplicates ----------------------------------------------------------------------


@dataclass(frozen=True)
class Twins:
    """A client who asks again. The first card goes its `way`; then a second request comes in, and `steps` are done to
    its card. `by` is how the two are one client's: the contact, a phone (typed otherwise), an e-mail; `relative` has
    the phone but another name. `later`: the manager hears the phone (or finds the contact) only in the first talk.

    `becomes`: merged (into the first), suggested (a task, nothing else), alone (a task: no running lead was found),
    or nothing at all.
    """

    name: str
    by: str
    becomes: str
    way: tuple[str, ...] = (QUALIFIED, "main.contact")
    steps: tuple[str, ...] = ()
    later: bool = False
    form: bool = False
    ends: str = "exchange.new"
    """Where the second card stands in the end, unless it is merged."""


DUPLICATE = "exchange.in_conversation"

TWINS = (
    Twins("arrives from the same contact", "contact", "merged"),
    Twins("arrives with the same phone", "phone", "merged"),
    Twins("arrives with the same e-mail", "email", "merged"),
    Twins("arrives as a form with the same phone", "phone", "merged", form=True),
    Twins("arrives while the first is still in the exchange", "phone", "merged", way=()),
    Twins("a relative arrives on the same phone", "relative", "suggested"),
    Twins("a relative's form", "relative", "suggested", form=True),
    Twins("the first is in warm-up: a new request", "phone", "nothing", way=("exchange.no_information",)),
    Twins("the first was lost: a new request", "phone", "nothing", way=("exchange.not_target",)),
    Twins("the first is a client in aftercare: a new request", "phone", "nothing", way=(QUALIFIED, "main.won")),
    Twins("already talking, by the stage", "phone", "merged", steps=(DUPLICATE,), later=True),
    Twins("already talking, contact found", "contact", "merged", steps=(DUPLICATE,), later=True),
    Twins("already talking, by the answer", "phone", "merged", steps=("+in_conversation",), later=True),
    Twins("already talking, the first is in warm-up", "phone", "merged", ("exchange.no_information",), (DUPLICATE,)),
    Twins(
        "conditional refusal: already talking",
        "phone",
        "merged",
        steps=(QUALIFIED, "main.conditional_refusal", "+in_conversation"),
        later=True,
    ),
    Twins("already talking, a relative", "relative", "suggested", steps=(DUPLICATE,), later=True, ends=DUPLICATE),
    Twins("a relative, and a person says it is the same client", "relative", "merged", steps=(DUPLICATE,)),
    Twins(
        "a relative, said twice",
        "relative",
        "merged",
        steps=(DUPLICATE, "exchange.qualifying", DUPLICATE),
        later=True,
    ),
    Twins("already talking, nobody knows with whom", "nothing", "alone", steps=(DUPLICATE,), ends=DUPLICATE),
    Twins("already talking, the contact has no phone", "no phone", "alone", steps=(DUPLICATE,), ends=DUPLICATE),
    Twins(
        "already talking, but the first is closed",
        "phone",
        "alone",
        way=("exchange.not_target",),
        steps=(DUPLICATE,),
        ends=DUPLICATE,
    ),
)


# -- the play --------------------------------------------------------------------------------------------------------


@dataclass
class Record:
    """What was seen of one row: all cards before and after its last step, and who of each team had the client by then.

    `lead` is the card of the last step, `first` the other one of twins."""

    lead: int = 0
    first: int = 0
    before: Cards = field(default_factory=dict)
    after: Cards = field(default_factory=dict)
    hands: dict[tuple[str, ...], str] = field(default_factory=dict)

    def see(self, cards: Cards, floor: Floor) -> None:
        self.before, self.after = self.after, cards
        card = self.before.get(self.lead)
        if card and not card.place.startswith("?"):
            self.hands[floor.team(LEVEL_OF[card.pipeline])] = card.owner


def walk(floor: Floor, record: Record, steps: tuple[str, ...]) -> Script:
    for step in steps:
        if step == COPY:
            [copy] = born_of(record.lead, record.after)
            record.lead = copy.id
        else:
            record.see((yield [floor.step(record.lead, step)]), floor)


def play_arrow(floor: Floor, arrow: Arrow, record: Record) -> Script:
    arrival = Arrive(Client.new())
    cards = yield [arrival]
    record.lead = arrival.lead
    record.see(cards, floor)
    yield from walk(floor, record, arrow.steps)


def play_twins(floor: Floor, row: Twins, record: Record) -> Script:
    first = Arrive(Client.new())
    cards = yield [first]
    record.first = record.lead = first.lead
    record.see(cards, floor)
    yield from walk(floor, record, row.way)
    [contact] = record.after[record.first].contacts
    known, stranger = seems(first.client, contact, row.by), Client.new()
    if row.by == "no phone":
        stranger = replace(stranger, phone="", email="")
    second = Arrive(stranger if row.later or row.by in ("nothing", "no phone") else known, row.form)
    cards = yield [second]
    record.lead = second.lead
    record.see(cards, floor)
    if row.later:
        record.see((yield [hears(record, known)]), floor)
    yield from walk(floor, record, row.steps)


def seems(client: Client, contact: int, by: str) -> Client:
    """Who asks again."""
    again = {
        "contact": Client(contact=contact),
        "phone": Client(client.name.partition(" ")[0], client.phone_by_hand),
        "email": Client(client.name.upper(), email=client.email.upper()),
        "relative": Client("Зинаида", client.phone_by_hand),
    }
    return again.get(by, client)


def hears(record: Record, known: Client) -> Act:
    """The manager finds out who it is."""
    card = record.after[record.lead]
    if known.contact:
        link = {"to_entity_id": known.contact, "to_entity_type": "contacts"}
        return Ask("POST", f"leads/{card.id}/link", [link])
    body = {"name": known.name, "custom_fields_values": contact_fields(known)}
    return Ask("PATCH", f"contacts/{card.contacts[0]}", body)


@pytest.fixture(scope="module", params=list(MODELS))
def floor(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    with open_floor(request.param, tmp_path_factory.mktemp(request.param)) as floor:
        yield floor


@pytest.fixture(scope="module")
def played(floor: Floor) -> dict[str, Record]:
    """All rows, side by side."""
    records = {row.name: Record() for row in (*ARROWS, *TWINS)}
    scripts = [play_arrow(floor, arrow, records[arrow.name]) for arrow in ARROWS]
    floor.play([*scripts, *(play_twins(floor, row, records[row.name]) for row in TWINS)])
    return records


# -- what must be seen -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arrow", ARROWS, ids=lambda arrow: arrow.name)
def test_an_arrow_ends_where_it_should(floor: Floor, played: dict[str, Record], arrow: Arrow) -> None:
    record = played[arrow.name]
    before, after = record.before[record.lead], record.after[record.lead]
    assert (after.place, after.reason, after.answer) == (arrow.ends, arrow.reason, arrow.answer)
    assert (after.price, after.city, after.contacts, after.company) == expected_content(before)
    assert after.tags >= before.tags
    assert_hands(floor, record, before, after, arrow.hands)
    assert_tasks(before, after, arrow.tasks, handed_over=after.owner != before.owner)
    for note in arrow.notes:
        assert any(note in text for text in new_notes(before, after)), new_notes(before, after)
    if arrow.ends == before.place:
        assert new_notes(before, after) == []
    assert_copy(floor, record, after, arrow.copy)
    assert floor.dead_letters() == {}


def expected_content(before: Card) -> tuple[int, str, tuple[int, ...], int]:
    return before.price, TULA, before.contacts, before.company


def assert_hands(floor: Floor, record: Record, before: Card, after: Card, level: int | None) -> None:
    """Inside a team the manager stays; else the team's member who had the client before, else any of its members."""
    if level is None:
        assert after.owner == before.owner
        return
    team = floor.team(level)
    if team in record.hands:
        assert after.owner == record.hands[team]
    assert after.owner in team
    if after.owner != before.owner:
        written = new_notes(before, after)
        assert any("Ответственный был" in text and f"Город: {TULA}" in text for text in written), "what is known"
        assert any("лид получает" in text and "Передан из" in text for text in written), "why he"


def assert_tasks(before: Card, after: Card, expected: tuple[Due, ...], *, handed_over: bool) -> None:
    """The tasks that the arrow sets, and, where it changes hands, one for the new owner: nobody else's stay open."""
    fresh = [task for task in after.tasks if task.id not in {old.id for old in before.tasks}]
    for due in expected:
        who = after.owner if due.who == "owner" else due.who
        [task] = [task for task in fresh if due.says in task.text]
        assert task.owner == who
        assert due.within - MINUTE <= task.due <= due.within + MINUTE
        fresh.remove(task)
    if handed_over:
        [task] = fresh
        assert_handed_over(task, after.owner)
    else:
        assert fresh == []
    assert {task.owner for task in after.open_tasks()} <= {after.owner, HEAD, MARKETING}


def assert_handed_over(task: Task, owner: str) -> None:
    assert (task.owner, task.is_completed) == (owner, False)
    assert task.text.startswith("Лид передан из")
    assert 14 * MINUTE <= task.due <= 16 * MINUTE


def new_notes(before: Card, after: Card) -> list[str]:
    return list(after.notes[len(before.notes) :])


def assert_copy(floor: Floor, record: Record, card: Card, expected: NewCard | None) -> None:
    """The card that the last step made: linked, with everything but the price, and in the right hands."""
    born = born_of(card.id, record.after, known=record.before)
    if expected is None:
        assert born == []
        return
    [copy] = born
    assert (copy.place, copy.price, copy.answer) == (expected.place, 0, "")
    assert (copy.city, copy.contacts, copy.company, copy.tags) == (card.city, card.contacts, card.company, card.tags)
    assert DACHA in copy.tags
    assert any(f"/leads/detail/{copy.id}" in text for text in card.notes)
    assert any(f"/leads/detail/{card.id}" in text and "Ответственный был" in text for text in copy.notes)
    team = floor.team(expected.level)
    if team in record.hands:
        assert copy.owner == record.hands[team]
    assert copy.owner in team
    [task] = copy.open_tasks()
    if copy.owner != card.owner:
        assert_handed_over(task, copy.owner)
    else:
        assert "Новая карточка клиента" in task.text
        assert (task.owner, task.due >= DAY - MINUTE, task.due <= DAY) == (copy.owner, True, True)


@pytest.mark.parametrize("row", TWINS, ids=lambda row: row.name)
def test_a_client_who_asks_again_is_recognised(floor: Floor, played: dict[str, Record], row: Twins) -> None:
    record = played[row.name]
    first, second = record.after[record.first], record.after[record.lead]
    if row.becomes == "merged":
        assert_merged(first, second)
    else:
        assert (second.place, second.reason) == (row.ends, "")
        assert first.place == record.before[record.first].place
    link, asked = f"/leads/detail/{first.id}", [task for task in second.open_tasks() if "лид:" not in task.text]
    if row.becomes in ("merged", "nothing"):
        assert asked == []
    if row.becomes == "suggested":
        [task] = asked
        assert task.owner == second.owner
        assert "Похоже на дубль" in task.text
        assert link in task.text
        assert task.due <= 4 * HOUR
    if row.becomes == "alone":
        [task] = asked
        assert task.owner == second.owner
        assert "не найдена" in task.text
        assert task.due <= 4 * HOUR
    assert floor.dead_letters() == {}


def assert_merged(first: Card, second: Card) -> None:
    """Nothing of the second is missing in the first, which stays where it is and with whom it is."""
    assert second.place.endswith(".lost")
    assert second.reason == "duplicate"
    assert second.open_tasks() == []
    assert first.is_open
    assert (first.price, first.city) == (PRICE, TULA)
    assert set(second.contacts) <= set(first.contacts)
    assert {task.owner for task in first.open_tasks()} <= {first.owner}
    assert any(f"/leads/detail/{first.id}" in text for text in second.notes)
    assert any(f"#{second.id}" in text for text in first.notes)


@pytest.mark.usefixtures("played")
def test_hand_overs_are_shared_out_fairly(floor: Floor) -> None:
    """As the notes on the cards tell it. Known managers cost nobody a turn, and some losses give it back."""
    fair, turns = re.compile(r"Conveyor: лид получает (\w+), очередь по справедливости.* Передан из"), Counter[str]()
    for card in floor.cards().values():
        if card.reason not in ("not_target", "duplicate"):
            turns.update(found[1].lower() for note in card.notes if (found := fair.match(note)))
    for levels in MODELS[floor.model]:
        counts = [turns[person] for person in members_of(levels)]
        assert max(counts) - min(counts) <= 3, turns
    assert turns.total() >= 6 or floor.model == "one_level"


# -- another file ------------------------------------------------------------------------------------------------------


def test_a_firm_that_moves_its_won_leads_keeps_one_card(floor: Floor) -> None:
    """GIVEN `won: {move: aftercare}`, put in force with `conveyor apply` while the stack runs."""
    floor.apply(department(floor.model, "routes: {won: {move: aftercare}}"))
    lead = floor.new_card(QUALIFIED, "main.offer")
    before = floor.cards()
    floor.do([floor.step(lead, "main.won")])
    after = floor.cards()
    assert after[lead].place == "aftercare.new_client"
    assert after[lead].price == PRICE
    assert after.keys() == before.keys(), "no copy"
    if floor.same_team(2, 3):
        assert after[lead].owner == before[lead].owner
    assert after[lead].owner in floor.team(3)
    assert floor.dead_letters() == {}


# -- time --------------------------------------------------------------------------------------------------------------


@pytest.fixture(params=list(MODELS))
def month(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Floor]:
    """A stack of its own whose ticks come twice a day: the 50,000 of the real ones would take minutes."""
    file = tmp_path / "department.yaml"
    file.write_text(department(request.param), encoding="utf-8")
    seldom = dict.fromkeys(("waiting-room", "stages", "care"), 12 * 60)
    with (
        LocalStack(load(file), ticks=seldom, start=datetime.fromisoformat(START)) as stack,
        Outside(stack.addresses()) as outside,
        closing(Floor(outside, request.param, tmp_path)) as floor,
    ):
        yield floor


def test_a_month_in_warm_up_is_a_task_for_marketing(month: Floor) -> None:
    lead = month.new_card(QUALIFIED, "main.not_ready")
    owner = month.cards()[lead].owner
    month.pass_days(10)
    month.do([month.step(lead, "warm_up.warming")])  # the month counts from the pipeline, not from the stage
    month.pass_days(19)
    assert [task for task in month.cards()[lead].tasks if task.owner == MARKETING] == []
    month.pass_days(2)
    card = month.cards()[lead]
    [task] = [task for task in card.tasks if task.owner == MARKETING]
    assert "давно на прогреве" in task.text
    assert DAY - MINUTE <= task.due <= DAY + MINUTE
    assert (card.place, card.owner) == ("warm_up.warming", owner)
    month.pass_days(10)
    assert len([task for task in month.cards()[lead].tasks if task.owner == MARKETING]) == 1, "once in a stay"
    assert month.dead_letters() == {}
