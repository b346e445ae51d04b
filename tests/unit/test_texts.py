"""What the manager reads on the card."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from functions.distribute.decision import decide
from functions.distribute.texts import task_text, why_note
from functions.shared.assignment import HandOver, TeamLedger
from functions.shared.eligibility import Rule
from functions.shared.people import name_of
from tests.builders import (
    ANNA,
    BORIS,
    DUTY,
    GLEB,
    VERA,
    make_candidate,
    make_department,
    make_member,
    make_moment,
    make_team,
)


def note(language="ru", hindered=None, **candidate):
    team = make_team(duty=DUTY)
    outcome = decide(
        TeamLedger("lead_desk"),
        team,
        [make_candidate(1, "whatsapp", **candidate)],
        make_moment(hindered, duty=DUTY),
    )
    department = make_department(team, language=language)
    return why_note(outcome.assignments[0], department), task_text(outcome.assignments[0], department, team)


def test_the_note_tells_who_was_next_by_how_much_and_who_could_not():
    why, task = note(hindered={ANNA: Rule.ABSENT})

    assert "лид получает Вера" in why
    assert "(Борис, Вера)" in why
    assert "всего 0,50, канал whatsapp 0,50" in why
    assert "Анна (отсутствует)" in why
    assert task == "Новый лид: whatsapp. Ответить клиенту в течение 15 мин"


def test_in_english_too():
    why, task = note("en", hindered={ANNA: Rule.OFF_SHIFT})

    assert "the lead goes to Вера, fairly next" in why
    assert "0.50 in total" in why
    assert "Анна (off shift)" in why
    assert task == "New lead: whatsapp. Answer the client within 15 min"


def test_who_is_alone_is_not_called_the_most_owed():
    why, _ = note(hindered={ANNA: Rule.ABSENT, BORIS: Rule.OFF_SHIFT})

    assert "Больше никто не мог взять его сейчас" in why


def test_an_own_client_and_a_duty_lead_say_so():
    assert "его (её) клиент" in note(own_managers=(BORIS,))[0]
    assert "дежурный" in note(hindered=dict.fromkeys((ANNA, BORIS, VERA), Rule.OFF_SHIFT))[0]


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize("rule", list(Rule))
def test_every_rule_has_words_in_every_language(language, rule):
    why, _ = note(language, {ANNA: rule})

    assert "Анна (" in why
    assert "_" not in why, "a word for people, not the rule's name"


CROSSED = HandOver("exchange.qualified", previous_owner=BORIS)


def test_a_lead_handed_over_says_where_it_comes_from_and_who_had_it():
    why, task = note(handed_over=CROSSED)

    assert "Передан из «Биржа лидов», прежний менеджер: Борис." in why
    assert task == "Лид передан из «Биржа лидов». Связаться с клиентом в течение 15 мин"


def test_in_english_a_hand_over_too():
    why, task = note("en", handed_over=CROSSED)

    assert "Handed over from “Биржа лидов”, until now with Борис." in why
    assert task == "Handed over from “Биржа лидов”. Get in touch with the client within 15 min"


def test_who_had_it_before_is_not_the_new_owner_himself():
    """GIVEN a card that a person gave to the new owner before he moved it THEN the one before him is named."""
    why, _ = note(handed_over=CROSSED, manual_owner=BORIS, predecessors=(VERA, ANNA))
    assert "лид остаётся у Борис" in why
    assert "Передан из «Биржа лидов», прежний менеджер: Вера." in why

    alone, _ = note(handed_over=CROSSED, manual_owner=BORIS, predecessors=(BORIS,))
    assert alone.endswith("Передан из «Биржа лидов».")


def test_a_previous_owner_whom_nobody_knows_gives_way_to_one_whom_we_chose():
    why, _ = note(handed_over=HandOver("exchange.qualified", 999), predecessors=(VERA,), hindered={VERA: Rule.ABSENT})
    assert "прежний менеджер: Вера." in why


def test_a_duty_person_of_another_team_is_called_by_his_name():
    team = make_team()
    night = make_team([make_member(GLEB)], name="closers", levels=frozenset({2}), duty=DUTY, duty_name="Дина")
    assert name_of(make_department(team, night), DUTY) == "Дина"
    why = why_note(handed_to(BORIS, HandOver("exchange.qualified", DUTY)), make_department(team, night))
    assert "прежний менеджер: Дина." in why


@pytest.mark.parametrize(
    ("language", "called"), [("ru", "сотрудник вне команд (id 999)"), ("en", "somebody outside the teams (id 999)")]
)
def test_an_owner_who_is_in_no_team_is_called_so(language, called):
    team = make_team()
    department = make_department(team, language=language)
    assert name_of(department, 999) == called
    assert called in why_note(handed_to(999), department)


def handed_to(owner, handed_over=None):
    candidate = make_candidate(1, manual_owner=owner, handed_over=handed_over)
    (assignment,) = decide(TeamLedger("lead_desk"), make_team(), [candidate], make_moment()).assignments
    return assignment


@pytest.mark.parametrize(
    ("channel", "language", "called"),
    [("other", "ru", "другое"), ("site", "ru", "сайт"), ("other", "en", "other"), ("dealers", "ru", "dealers")],
)
def test_channels_are_called_as_people_call_them(channel, language, called):
    team = make_team()
    department = make_department(team, language=language)
    (assignment,) = decide(TeamLedger("lead_desk"), team, [make_candidate(1, channel)], make_moment()).assignments
    assert f": {called}." in task_text(assignment, department, team)
    assert re.search(rf"\b{called}\b", why_note(assignment, department))


@pytest.mark.parametrize("previous_owner", [0, 999])
def test_an_owner_whom_nobody_knows_is_not_named(previous_owner):
    why, _ = note(handed_over=HandOver("exchange.qualified", previous_owner))

    assert "Передан из «Биржа лидов»." in why


def test_a_place_that_the_department_has_no_more_is_called_by_its_role():
    assert "«aftercare»" in note(handed_over=HandOver("aftercare.in_care", BORIS))[0]


def test_a_colleague_of_another_team_is_called_by_his_name():
    team, closers = make_team(), make_team([make_member(GLEB)], name="closers", levels=frozenset({2}))
    moment = replace(make_moment(), guests=frozenset({GLEB}))
    (assignment,) = decide(TeamLedger("lead_desk"), team, [make_candidate(1, guest=GLEB)], moment).assignments

    assert "лид получает Глеб, это его (её) клиент" in why_note(assignment, make_department(team, closers))
