"""A wake with all its effects: read → judge → store in one transaction → bring the open task up to date."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime

from functions.aftercare_triggers.intake import Hint
from functions.aftercare_triggers.open_tasks import OpenTasks, intended
from functions.aftercare_triggers.plan import WakePlan
from functions.aftercare_triggers.rules.person import Person
from functions.aftercare_triggers.scene import earliest
from functions.aftercare_triggers.sight import Sight, is_contacted, known
from functions.aftercare_triggers.stores import TRIES, Stores
from functions.aftercare_triggers.traces import remembered
from functions.aftercare_triggers.waking import wake
from functions.shared.adapters.dynamodb.episodes import AT_ONCE, EpisodesExist
from functions.shared.adapters.dynamodb.table import Moved
from functions.shared.care import Client, Episode, Status
from functions.shared.errors import Contended
from functions.shared.telemetry import Telemetry


@dataclass(frozen=True)
class _Judged:
    """`before` is his row as it was read, `begun` whether somebody has spoken with him since his task was set."""

    before: Client
    plan: WakePlan
    begun: bool


def part_of(plan: WakePlan, before: Client, now: datetime) -> WakePlan:
    """As much of a plan as one transaction holds, the most urgent first. With the rest he stays due: it is judged
    again, as if it had never been."""
    room = AT_ONCE - len(plan.changes)
    if len(plan.episodes) + len(plan.over_baseline) <= room:
        return plan
    changes = plan.changes[:AT_ONCE]
    ranked = sorted((*plan.episodes, *plan.over_baseline), key=lambda each: (-each.priority, each.decided_at))
    kept = ranked[: AT_ONCE - len(changes)]
    over = {each.key for each in plan.over_baseline}
    client = replace(plan.client, traces=before.traces, held=before.held, due_at=now)
    for episode in kept:
        client = remembered(client, episode)
    return replace(
        plan,
        client=client,
        episodes=tuple(each for each in kept if each.key not in over),
        over_baseline=tuple(each for each in kept if each.key in over),
        changes=changes,
    )


class Waker:
    def __init__(self, stores: Stores, tasks: OpenTasks, telemetry: Telemetry) -> None:
        self._stores = stores
        self._tasks = tasks
        self._telemetry = telemetry

    def wake(self, sight: Sight, hint: Hint) -> None:
        """Raises RetryLater."""
        learned: tuple[Episode, ...] = ()
        consistent = hint.is_told
        for _ in range(TRIES):
            judged = self._judge(sight, hint, learned, consistent)
            try:
                stored = self._store(sight, judged)
            except EpisodesExist as exist:
                learned, consistent = (*learned, *exist.episodes), True
            except (Moved, Contended):
                consistent = True
            else:
                self._tell(sight, judged.plan)
                if stored.open_task is not None and not stored.open_task.text:
                    due = stored.version, judged.plan.client.due_at
                    self._tasks.write(sight, stored.id, judged.begun, due)
                return
        raise Contended(f"client {hint.client} moved {TRIES} times in a row", after=1)

    def _judge(self, sight: Sight, hint: Hint, learned: tuple[Episode, ...], consistent: bool) -> _Judged:
        def judge(client: Client, person: Person) -> _Judged:
            salted = replace(client, salt=client.salt or self._stores.new_salt())
            awake = known(replace(salted, lead_id=hint.card or client.lead_id), person.facts)
            for episode in learned:
                awake = remembered(awake, episode)
            plan = part_of(wake(awake, person, sight.rules, sight.scene, sight.book.version), awake, sight.now)
            return _Judged(client, plan, is_contacted(client, person))

        return self._stores.judge(hint.client, sight, consistent, judge)

    def _store(self, sight: Sight, judged: _Judged) -> Client:
        """His row as stored. Where the open task is to change, he stays due until it has."""
        plan = judged.plan
        client, new = plan.client, list(plan.episodes)
        wanted = [*(each.key for each in plan.over_baseline), *(change.key for change in plan.changes)]
        rows = self._stores.episodes.find((client.id, key) for key in wanted) if wanted else {}
        changed: dict[tuple[str, str], Episode] = {}
        for episode in plan.over_baseline:
            standing = rows.get((client.id, episode.key))
            if standing is None:
                new.append(episode)
            else:
                changed[episode.key] = replace(episode, version=standing.version)
        for change in plan.changes:
            standing = changed.get(change.key) or rows.get((client.id, change.key))
            if standing is not None:
                client, changed[change.key] = intended(client, standing, change, sight.department.head)
        if client.open_task is not None and not client.open_task.text:
            client = replace(client, due_at=earliest(client.due_at, sight.now))
        if client == judged.before and not new and not changed:
            return client
        return self._stores.episodes.store(client, new, list(changed.values()))[0]

    def _tell(self, sight: Sight, plan: WakePlan) -> None:
        """Of each episode one line: ids and the gate; an anchor may be an id that a source made of a name."""
        decided = [*plan.episodes, *plan.over_baseline]
        for episode in decided:
            self._telemetry.info(
                "care_decided", client=episode.client, rule=episode.rule, status=episode.status.value, gate=episode.gate
            )
        fired = Counter(each.rule for each in decided if each.status is Status.QUEUED)
        if fired:
            self._stores.counts.fired(sight.today.isoformat(), fired)
            self._telemetry.count("CareFired", fired.total())
