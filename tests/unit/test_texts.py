"""What the manager reads on the card."""

from __future__ import annotations

import pytest

from functions.distribute.decision import decide
from functions.distribute.eligibility import Rule
from functions.distribute.texts import task_text, why_note
from functions.shared.assignment import TeamLedger
from tests.builders import ANNA, BORIS, DUTY, VERA, make_candidate, make_department, make_moment, make_team


def note(language="ru", hindered=None, **candidate):
    team = make_team(duty=DUTY)
    outcome = decide(
        TeamLedger("lead_desk"),
        team,
        [make_candidate(1, "whatsapp", **candidate)],
        make_moment(hindered, duty=DUTY),
    )
    department = make_department(team, language=language)
    return why_note(outcome.assignments[0], department, team), task_text(outcome.assignments[0], department, team)


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
    assert "его (её) клиент" in note(own_manager=BORIS)[0]
    assert "дежурный" in note(hindered=dict.fromkeys((ANNA, BORIS, VERA), Rule.OFF_SHIFT))[0]


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize("rule", list(Rule))
def test_every_rule_has_words_in_every_language(language, rule):
    why, _ = note(language, {ANNA: rule})

    assert "Анна (" in why
    assert "_" not in why, "a word for people, not the rule's name"
