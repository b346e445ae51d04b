"""From the outbox to tasks in amoCRM: the last look → what was begun before → one task a client, by its manager."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from functions.aftercare_triggers.adopting import Adopting
from functions.aftercare_triggers.joining import Joining
from functions.aftercare_triggers.managers import FairlyNext, Given, Staff, Wait, choose
from functions.aftercare_triggers.open_tasks import OpenTasks
from functions.aftercare_triggers.outbox import LATER, Looked, Outbox, one_client
from functions.aftercare_triggers.places import Place, Places
from functions.aftercare_triggers.sight import Sight
from functions.aftercare_triggers.stores import Stores
from functions.aftercare_triggers.storms import Storms
from functions.aftercare_triggers.turns import Turns, Wanted
from functions.aftercare_triggers.writing import Ready, TaskWriter
from functions.shared.care import Episode, Status
from functions.shared.clock import Clock
from functions.shared.limits import LEFT_FOR_A_SLICE
from functions.shared.ports import AmoCrm
from functions.shared.telemetry import Telemetry

AT_ONCE = 500
"""Rows of the outbox that one tick looks at, so that the most urgent of them come first."""

_SLICE = 50
"""Tasks written in one request of amoCRM."""


class Sender:
    """A client whose row others write all the time stays in the outbox, and holds nobody up."""

    def __init__(self, amocrm: AmoCrm, stores: Stores, tasks: OpenTasks, telemetry: Telemetry, clock: Clock) -> None:
        self._amocrm = amocrm
        self._stores = stores
        self._telemetry = telemetry
        self._clock = clock
        self._storms = Storms(amocrm, stores, telemetry)
        self._outbox = Outbox(stores, telemetry)
        self._turns = Turns(stores, telemetry, clock)
        self._writer = TaskWriter(amocrm, stores, tasks, self._outbox, telemetry, clock)
        self._adopting = Adopting(amocrm, self._writer, telemetry)
        self._joining = Joining(amocrm, stores, tasks, self._outbox, telemetry)

    def send(self, sight: Sight, deadline: datetime) -> None:
        """Work off what is due in the outbox; what is left stays due. Raises RetryLater, AmoCrmError."""
        waiting = self._stores.episodes.due(sight.now, AT_ONCE)
        waiting = self._storms.pass_on(sight, waiting) if waiting else []
        if not waiting:
            return
        waiting.sort(key=_urgency)
        staff = self._staff(sight)
        for start in range(0, len(waiting), _SLICE):
            if deadline - self._clock.now() < LEFT_FOR_A_SLICE:
                return
            self._send(sight, staff, waiting[start : start + _SLICE])

    def _staff(self, sight: Sight) -> Staff:
        absences = self._stores.absences.of_team(sight.team.name)
        return Staff.of(sight.department, sight.team, self._amocrm.users(), absences, sight.now)

    def _send(self, sight: Sight, staff: Staff, episodes: Sequence[Episode]) -> None:
        looked = [found for episode in episodes if (found := self._outbox.look(sight, episode)) is not None]
        if not looked:
            return
        places = Places(sight, self._amocrm).of({each.client.id: each.client for each in looked}.values())
        looked = self._adopting.adopt(sight, looked, places)
        wanted = [each for each in looked if self._outbox.is_wanted(sight, each, places)]
        standing = self._joining.standing(sight, {each.client.id for each in wanted})
        opening: dict[int, Looked] = {}
        joining: list[Looked] = []
        for each in wanted:
            if each.client.id in standing or each.client.id in opening:
                joining.append(each)
            else:
                opening[each.client.id] = each
        self._writer.write(sight, self._ready(sight, staff, list(opening.values()), places))
        for each in joining:
            with one_client(self._telemetry, each.client.id):
                self._joining.join(sight, each)

    def _ready(self, sight: Sight, staff: Staff, opening: Sequence[Looked], places: Mapping[int, Place]) -> list[Ready]:
        """Those that are somebody's now; the others wait for their manager, or for anybody."""
        found: dict[int, Ready] = {}
        nobodys: dict[int, bool] = {}
        for each in opening:
            assert each.rule is not None, "only what is in the book is wanted"
            client, episode, place = each.client, each.episode, places[each.client.id]
            until = sight.due_till(each.rule, client.manager, client)
            until = min(until, episode.expires_at or until)
            match choose(staff, place, client, episode, each.rule.action.assign, until):
                case Given(manager, is_own):
                    found[client.id] = Ready(each, each.rule, place, manager, is_own)
                case FairlyNext(for_good):
                    nobodys[client.id] = for_good
                case Wait(moment):
                    self._outbox.put_off(episode, moment or sight.now + LATER)
        wanted = [Wanted(each.episode, nobodys[each.client.id]) for each in opening if each.client.id in nobodys]
        turns = self._turns.spend(staff, wanted) if wanted else {}
        for each in opening:
            if each.client.id in turns and each.rule is not None:
                episode, manager = turns[each.client.id]
                is_own = nobodys[each.client.id]
                given = replace(each, episode=episode)
                found[each.client.id] = Ready(given, each.rule, places[each.client.id], manager, is_own)
        return [found[each.client.id] for each in opening if each.client.id in found]


def _urgency(episode: Episode) -> tuple[bool, int, int, datetime]:
    """What was begun is ended first; then by priority and value."""
    return episode.status is not Status.SENDING, -episode.priority, -episode.value, episode.decided_at
