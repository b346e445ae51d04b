"""The department in the words of its people: shared by what `conveyor plan` prints and by the picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from functions.shared.department import EXCHANGE, LEVEL_OF, LOST_STAGE, MAIN, UNSORTED_STAGE, WON_STAGE, Place
from infra.department.file import DepartmentFile
from infra.department.phrases import ENDINGS, PHRASES
from infra.department.preset import MODELS


@dataclass(frozen=True)
class TeamPart:
    """A team as the file gives it; `index` is its place in the order of the levels."""

    index: int
    name: str
    levels: tuple[int, ...]
    members: int


class Wording:
    """Phrases in the department's language, filled with the names that its people see in amoCRM."""

    def __init__(self, file: DepartmentFile) -> None:
        self.file = file
        self.language = file.spec.language
        self._phrases = PHRASES[self.language]
        self._pipelines = {plan.role: plan.name for plan in file.pipelines}
        self._stages = {Place(plan.role, stage.key): stage.name for plan in file.pipelines for stage in plan.stages}
        levels = MODELS[file.spec.model]
        self.teams = tuple(
            TeamPart(index, name, tuple(sorted(levels[index])), len(team.members))
            for index, (name, team) in enumerate(file.spec.teams.items())
        )

    def say(self, key: str, **values: str) -> str:
        return self._phrases[key].format(**values)

    def pipeline(self, role: str) -> str:
        return self._pipelines[role]

    def stage(self, place: Place) -> str:
        own = {WON_STAGE: "won", LOST_STAGE: "lost", UNSORTED_STAGE: "unsorted"}
        return self.say(own[place.stage]) if place.stage in own else self._stages[place]

    def answer(self, key: str) -> str:
        return self.file.answers[key]

    def reason(self, key: str) -> str:
        return self.file.loss_reasons[key]

    def team_of(self, role: str) -> TeamPart:
        """Who works the pipeline."""
        return next(team for team in self.teams if LEVEL_OF[role] in team.levels)

    def changes_hands(self, source: str, target: str) -> bool:
        """Does a lead that goes from one role's pipeline to another's get a manager of another team?"""
        return self.team_of(source) != self.team_of(target)

    def entry(self, role: str) -> Place:
        """Where leads come into the pipeline: its first working stage."""
        return next(place for place in self._stages if place.role == role)

    @property
    def origins(self) -> tuple[Place, ...]:
        """Where `back` may lead: warm-up gets its leads from these pipelines."""
        return self.entry(EXCHANGE), self.entry(MAIN)

    def managers(self, team: TeamPart) -> str:
        return self._counted(team.members, "manager")

    def levels(self, team: TeamPart) -> str:
        key = "level" if len(team.levels) == 1 else "levels"
        return self.say(key, levels=self.listed(str(level) for level in team.levels))

    def duration(self, span: timedelta) -> str:
        """`1 день 2 часа`"""
        minutes = int(span.total_seconds()) // 60
        parts = (("day", minutes // 1440), ("hour", minutes // 60 % 24), ("minute", minutes % 60))
        return " ".join(self._counted(number, unit) for unit, number in parts if number)

    def assignee(self, role: str) -> str:
        """Whom a route's task goes to: the lead's owner where the file names no head or marketing."""
        return self.say(role if self._email(role) else "owner")

    def addressee(self, role: str) -> str:
        """The same with the e-mail, if there is one."""
        email = self._email(role)
        return f"{self.assignee(role)} ({email})" if email else self.assignee(role)

    def _email(self, role: str) -> str | None:
        return {"head": self.file.spec.head, "marketing": self.file.spec.marketing}.get(role)

    def listed(self, parts: Iterable[str]) -> str:
        """`1, 2 и 3`"""
        *most, last = parts
        return f"{', '.join(most)} {self.say('and')} {last}" if most else last

    def _counted(self, number: int, thing: str) -> str:
        one, few, many = ENDINGS[self.language][thing]
        if self.language == "en":
            return f"{number} {one if number == 1 else many}"
        if number % 10 == 1 and number % 100 != 11:
            return f"{number} {one}"
        is_few = number % 10 in (2, 3, 4) and number % 100 not in (12, 13, 14)
        return f"{number} {few if is_few else many}"
