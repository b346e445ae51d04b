"""`aftercare:` of department.yaml: presets, changes of theirs, own rules, and everything that is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from functions.aftercare_triggers.rules.reading import read_rule
from functions.shared.errors import DepartmentInvalid
from functions.shared.facts import Fact
from infra.department.care import preset_rules
from infra.department.care_spec import PRESETS
from infra.department.file import DepartmentFile, load
from infra.department.story import tell
from tests.care_player import CLIENT, Player, moment

HEAD = """\
department: Фитнес
timezone: Europe/Moscow
amocrm: {account: fit.amocrm.ru}
model: one_level
teams: {sales: {members: [anna@fit.example]}}
"""


def with_aftercare(section: str, head: str = HEAD) -> DepartmentFile:
    return load(head + section)


def rules_of(section: str, head: str = HEAD) -> dict[str, Any]:
    return {rule["id"]: rule for rule in with_aftercare(section, head).care.rules}


def findings(section: str) -> list[str]:
    with pytest.raises(DepartmentInvalid) as caught:
        with_aftercare(section)
    return [str(finding) for finding in caught.value.findings]


class TestReading:
    def test_a_list_is_the_rules_alone(self) -> None:
        rules = rules_of(
            "aftercare:\n- {id: quiet, when: {silence: {of: visit.attended, for: 14d}}, task: Позвонить}\n"
        )
        assert list(rules) == ["quiet"]
        assert (rules["quiet"]["holdout"], rules["quiet"]["exit"]["result"]) == (0.1, "Клиент вернулся {date}")

    def test_a_preset_is_changed_key_by_key(self) -> None:
        rules = rules_of("aftercare: {preset: gym, rules: [{id: missed-3-trainings, cooldown: 60d}]}\n")
        preset = {rule["id"]: rule for rule in preset_rules("gym", "ru")}["missed-3-trainings"]
        assert rules["missed-3-trainings"]["cooldown"] == "60d"
        assert rules["missed-3-trainings"]["when"] == preset["when"]
        assert len(rules) == len(preset_rules("gym", "ru"))

    def test_a_rule_of_the_preset_is_switched_off(self) -> None:
        assert "birthday" not in rules_of("aftercare: {preset: gym, rules: [{id: birthday, off: true}]}\n")

    def test_a_file_may_say_action_where_the_preset_says_task(self) -> None:
        rules = rules_of("aftercare: {preset: gym, rules: [{id: birthday, action: {task: {text: Ура}}}]}\n")
        assert "task" not in rules["birthday"]

    def test_what_the_section_says_once_counts_for_all_rules_that_say_nothing_else(self) -> None:
        rules = rules_of("aftercare: {preset: gym, holdout: 25%}\n")
        assert (rules["missed-3-trainings"]["holdout"], rules["unhappy"]["holdout"]) == (0.25, 0)

    def test_an_english_department_has_english_words(self) -> None:
        rules = rules_of("language: en\naftercare: {preset: gym}\n")
        assert rules["missed-3-trainings"]["task"]["text"].startswith("Missed 3 trainings")
        assert rules["missed-3-trainings"]["exit"]["result"] == "The client came back {date}"

    def test_public_holidays_are_known_and_a_moved_day_is_worked(self) -> None:
        care = with_aftercare("aftercare: {holidays: [2026-12-31], work_days: [2026-06-12]}\n").care
        assert {"2026-11-04", "2026-12-31"} <= care.holidays
        assert ("2026-06-12" in care.holidays, care.work_days) == (False, frozenset({"2026-06-12"}))

    def test_a_feed_says_what_it_brings_and_how_late(self) -> None:
        feeds = "feeds: {turnstile: {delivers: [attended], lag: 2d, stale_after: 6h, hours: Mon-Sun 07:00-23:00}}"
        (feed,) = with_aftercare(f"aftercare: {{{feeds}}}\n").care.feeds
        assert (feed.delivers, feed.lag) == (frozenset({"visit.attended"}), timedelta(days=2))
        assert (feed.stale_after, feed.hours) == (timedelta(hours=6), "Mon-Sun 07:00-23:00")

    def test_no_section_is_no_rules(self) -> None:
        assert with_aftercare("").care.rules == ()


class TestMistakes:
    def test_all_are_told_at_once_with_their_lines(self) -> None:
        told = findings(
            "aftercare:\n"
            "  preset: gym\n"
            "  rules:\n"
            "  - {id: missed-3-trainings, when: {streak: {of: session, outcome: mised, count: 3}}}\n"
            "  - id: quiet\n"
            "    when:\n"
            "      silence: {of: visit.atended, for: never}\n"
            "    task: Нет {визита}\n"
        )
        assert [line.partition(":")[0] for line in told] == ["line 9", "line 12", "line 12", "line 13"]
        assert "did you mean `missed`?" in told[0]
        assert "did you mean `visit.attended`?" in told[1]
        assert "no end" in told[2]
        assert "{визита} is not supplied" in told[3]

    @pytest.mark.parametrize(
        ("section", "remedy"),
        [
            ("aftercare: {preset: gim}\n", "did you mean gym?"),
            ("aftercare: {pre_set: gym}\n", "did you mean preset?"),
            ("aftercare: {holdout: 120%}\n", "10%"),
            ("aftercare: {holidays: [31.12.2026]}\n", "2026-12-31"),
            ("aftercare: {feeds: {gate: {delivers: [visit.atended]}}}\n", "did you mean visit.attended?"),
            ("aftercare: {feeds: {gate: {latency: 2d}}}\n", "write one of: delivers, lag"),
            ("aftercare: {preset: gym, rules: [{id: birthdey, off: true}]}\n", "did you mean birthday?"),
            ("aftercare: {preset: gym, rules: [{id: birthday, off: maybe}]}\n", "off: true"),
            ("aftercare: {rules: [{id: birthday, off: true}]}\n", "without a preset"),
            ("aftercare: {preset: gym, rules: [{id: birthday, version: 7}]}\n", "counts the versions"),
            ("aftercare: [{id: a, when: {on: {field: birthday}}, task: X}, {id: a}]\n", "keep one"),
            ("aftercare: [{when: {on: {field: birthday}}, task: X}]\n", "`id:`"),
            ("aftercare: [{id: a, when: {on: {field: birthday}}}]\n", "write one `task:`"),
        ],
    )
    def test_each_says_what_would_be_right(self, section: str, remedy: str) -> None:
        assert remedy in "\n".join(findings(section))

    def test_mistakes_elsewhere_do_not_hide_those_of_the_rules(self) -> None:
        told = "\n".join(findings("hop_limit: 1\naftercare: [{id: a, when: {silence: {for: 3d}}, task: X}]\n"))
        assert "hop_limit" in told
        assert "silence.of" in told


def fact(name: str, kind: str, at: str, **data: Any) -> Fact:
    time = moment(at)
    return Fact(CLIENT, "till", name, kind, time, time, data=data)


def sessions(*days: str, mark: str = "visit.missed") -> list[Fact]:
    told = []
    for day in days:
        start = moment(f"{day} 19:00")
        data = {"session_id": day, "start": start.isoformat(), "end": (start + timedelta(hours=1)).isoformat()}
        told.append(fact(f"b{day}", "session.booked", "01.02", **data))
        told.append(fact(f"m{day}", mark, f"{day} 20:05", session_id=day))
    return told


def visits(*days: str, **data: Any) -> list[Fact]:
    return [fact(f"v{day}", "visit.attended", f"{day} 19:00", **data) for day in days]


def bought(*days: str, **data: Any) -> list[Fact]:
    return [fact(f"p{day}", "purchase.completed", f"{day} 12:00", **data) for day in days]


def member(end: str) -> list[Fact]:
    return [fact("s", "subscription.started", "01.02 12:00", subscription_id="s1", end=end)]


def score(number: int) -> list[Fact]:
    return [fact("n", "nps.responded", "02.03 12:00", score=number)]


BORN = [fact("d", "profile.updated", "01.02", birthday="1990-03-20", warranty_end="2026-04-20")]
WEEKS = ("02.03", "05.03", "09.03", "12.03", "16.03", "19.03")

STORIES: dict[str, dict[str, Iterable[Fact]]] = {
    "gym": {
        "missed-3-trainings": sessions("02.03", "05.03", "09.03"),
        "faded-regular": visits(*WEEKS),
        "contract-ends-in-14-days": member("2026-04-01"),
        "contract-ends-in-3-days": member("2026-04-01"),
        "contract-ends-today": member("2026-04-01"),
        "contract-ended-3-days-ago": member("2026-04-01"),
        "freeze-is-over": [
            *member("2026-12-01"),
            fact("f", "subscription.frozen", "01.03", subscription_id="s1"),
            fact("u", "subscription.unfrozen", "10.03", subscription_id="s1"),
        ],
        "birthday": BORN,
        "unhappy": score(3),
        "few-visits-left": visits("02.03", visits_left=2),
        "first-purchase": bought("02.03", "09.03"),
        "trial-without-subscription": bought("02.03", category="trial"),
    },
    "clinic": {
        "missed-appointment": sessions("02.03"),
        "after-first-visit": visits("02.03", "20.03"),
        "course-is-interrupted": visits("02.03", visits_left=4),
        "check-up-half-year": visits("02.03"),
        "yearly-check-up": bought("02.03", category="checkup"),
        "unhappy": score(5),
        "promoter": score(10),
        "birthday": BORN,
    },
    "shop": {
        "first-purchase": bought("02.03", "04.03"),
        "repeat-purchase": bought("02.03"),
        "win-back": bought("02.03"),
        "cross-sale": bought("02.03", category="main"),
        "up-sale": bought("02.03", "09.03", "12.03"),
        "vip": bought("02.03", spent_total=120_000),
        "unhappy": score(6),
        "birthday": BORN,
    },
    "windows": {
        "after-installation": bought("02.03"),
        "referral": bought("02.03"),
        "cross-sale": bought("02.03"),
        "yearly-service": bought("02.03"),
        "warranty-ends": BORN,
        "unhappy": score(1),
        "birthday": BORN,
    },
}


def test_every_rule_of_every_preset_has_its_story() -> None:
    for preset in PRESETS:
        assert list(STORIES[preset]) == [rule["id"] for rule in preset_rules(preset, "ru")]


def played(preset: str, name: str, language: str = "ru") -> Player:
    (document,) = [rule for rule in preset_rules(preset, language) if rule["id"] == name]
    published = datetime(2026, 1, 1, tzinfo=UTC)
    rule = replace(read_rule(document, effective_from=published, language=language), holdout=0.0)
    player = Player(rule, start="01.02", tick=timedelta(hours=1))
    for each in STORIES[preset][name]:
        player.deliver(each)
    player.run("20.03.2027")
    return player


@pytest.mark.parametrize(("preset", "name"), [(preset, name) for preset in STORIES for name in STORIES[preset]])
def test_it_fires_for_whom_it_is_meant(preset: str, name: str) -> None:
    fired = played(preset, name).fired(name)
    assert len(fired) == 1


def test_presets_say_the_same_in_both_languages() -> None:
    def without_words(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: without_words(each) for key, each in value.items() if key not in ("text", "result")}
        return [without_words(each) for each in value] if isinstance(value, list) else value

    for preset in PRESETS:
        assert without_words(preset_rules(preset, "ru")) == without_words(preset_rules(preset, "en"))


def test_the_plan_tells_the_rules_the_most_urgent_first() -> None:
    _, chapters = tell(with_aftercare("aftercare: {preset: gym}\n"))
    assert chapters[-1].title == "Правила сопровождения, от самых срочных"
    assert chapters[-1].lines[0].startswith("unhappy (95): {value: {of: nps.responded, path: score, op: <=, v: 6}} → «")
    assert len(chapters[-1].lines) == len(preset_rules("gym", "ru"))


def test_a_department_without_rules_tells_none() -> None:
    assert [chapter.title for chapter in tell(with_aftercare(""))[1]] == ["Воронки", "Маршруты", "Путь сделки"]
