"""The client's one open task in amoCRM, brought to what his row says it should be.

A change is stored first, with an empty text and a due time of now; then it is written, and stored as written. So
whoever dies between leaves a client who is looked at at the next tick, and the same change is made again: it changes
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from functions.aftercare_triggers.plan import Act, Change
from functions.aftercare_triggers.rules.clocks import local_date
from functions.aftercare_triggers.rules.moments import day_month_year
from functions.aftercare_triggers.sight import Sight
from functions.aftercare_triggers.stores import TRIES, Stores
from functions.aftercare_triggers.texts import reasons_text, task_text
from functions.aftercare_triggers.traces import remembered
from functions.aftercare_triggers.words import CAME_BACK, CORRECTED, worded
from functions.shared.adapters.dynamodb.table import Moved
from functions.shared.care import Client, Episode, OpenTask, Status
from functions.shared.clock import Clock
from functions.shared.crm import NewNote, Task, TaskChange
from functions.shared.errors import Contended
from functions.shared.limits import CLOCKS_APART
from functions.shared.ports import AmoCrm
from functions.shared.telemetry import Telemetry

STANDS = (Status.OPEN, Status.MERGED)

Key = tuple[str, str]
Rows = Mapping[Key, Episode]


def intended(client: Client, episode: Episode, change: Change, head: int | None) -> tuple[Client, Episode]:
    """His row and the episode with what is to become of them; the task itself follows (`OpenTasks.write`)."""
    task = client.open_task
    concerns = task is not None and episode.key in task.reasons and episode.status in STANDS
    after = _changed(episode, change, head)
    if task is None or not concerns:
        return remembered(client, after), after
    if change.act is not Act.ESCALATE:
        task = replace(task, struck=(*task.struck, episode.key), text="")
    elif head is not None:
        task = replace(task, manager=head, text="")
    return remembered(replace(client, open_task=task), after), after


def _changed(episode: Episode, change: Change, head: int | None) -> Episode:
    match change.act:
        case Act.ESCALATE:
            steps = (*episode.escalations, change.step)
            return replace(episode, escalations=steps, manager=head or episode.manager)
        case Act.VOID:
            return replace(episode, status=Status.VOID, ended_at=change.at, send_at=None)
        case Act.WITHDRAW:
            ended = {"status": Status.EXITED, "ended_at": change.at, "send_at": None}
            return replace(episode, returned_at=change.at, **ended)  # type: ignore[arg-type]
        case _:
            return replace(episode, returned_at=change.at)


def joined(client: Client, episode: Episode, urgency: Mapping[Key, int], due_till: datetime) -> tuple[Client, Episode]:
    """A further reason on the task that stands; `urgency` are the priorities of its reasons."""
    task = client.open_task
    assert task is not None, "only what stands can be joined"
    merged = replace(
        episode, status=Status.MERGED, task_id=task.task_id, manager=task.manager, due_till=due_till, send_at=None
    )
    urgency = {**urgency, episode.key: episode.priority}
    reasons = sorted({*task.reasons, episode.key}, key=lambda key: (-urgency.get(key, 0), key))
    task = replace(task, reasons=tuple(reasons), due_till=min(task.due_till, due_till), text="")
    return remembered(replace(client, open_task=task), merged), merged


@dataclass(frozen=True)
class _Outcome:
    """What became of the task; `task` None: it stands no more. `episodes` are those that ended with it."""

    task: OpenTask | None
    episodes: Sequence[Episode]


class OpenTasks:
    def __init__(self, amocrm: AmoCrm, stores: Stores, telemetry: Telemetry, clock: Clock) -> None:
        self._amocrm = amocrm
        self._stores = stores
        self._telemetry = telemetry
        self._clock = clock
        self._own_user = 0

    def write(
        self, sight: Sight, client_id: int, begun: bool = False, due: tuple[int, datetime | None] = (0, None)
    ) -> None:
        """Make the task what the row says. `begun`: somebody has spoken with the client since it was set. `due` is
        (version of the row, when he is to be looked at next) where the caller knows. Raises RetryLater."""
        for _ in range(TRIES):
            client = self._stores.client(client_id)
            if client.open_task is None or client.open_task.text:
                return
            outcome = self._written(sight, client, client.open_task, begun)
            after = replace(client, open_task=outcome.task)
            for episode in outcome.episodes:
                after = remembered(after, episode)
            if client.version == due[0]:
                after = replace(after, due_at=due[1])
            try:
                self._stores.episodes.store(after, changed=outcome.episodes)
            except Moved:
                continue
            for episode in outcome.episodes:
                self._telemetry.info("care_ended", client=client_id, rule=episode.rule, status=episode.status.value)
            return
        raise Contended(f"client {client_id} moved {TRIES} times in a row", after=1)

    def look(self, sight: Sight, client_id: int, task_id: int, there: Task | None) -> bool:
        """Bring what became of the task in amoCRM into his row: a person has completed, deleted or edited it. Whether
        it still stands, as far as can be told: lists may not know yet. Raises RetryLater."""
        self.write(sight, client_id)
        for _ in range(TRIES):
            client = self._stores.client(client_id)
            task = client.open_task
            if task is None or task.task_id != task_id:
                return False
            if there is None and self._is_new(task):
                return True
            stands = there is not None and not there.is_completed
            if there is not None and stands and (task.begun or not self._is_touched(there, task)):
                return True
            closed: list[Episode] = []
            if stands and there is not None:
                begun = replace(task, begun=True, manager=there.responsible_user_id)
                after = replace(client, open_task=begun)
            else:
                closed = self._ended(self._rows(client), task.reasons, Status.CLOSED)
                after = replace(client, open_task=None)
            for episode in closed:
                after = remembered(after, episode)
            try:
                self._stores.episodes.store(after, changed=closed)
            except (Moved, Contended):
                continue
            return stands
        raise Contended(f"client {client_id} moved {TRIES} times in a row", after=1)

    def _is_new(self, task: OpenTask) -> bool:
        """Lists may not show it yet, or not what became of it."""
        return self._clock.now() - task.touched_at < CLOCKS_APART

    def _rows(self, client: Client) -> Rows:
        reasons = client.open_task.reasons if client.open_task else ()
        return {key: each for (_, key), each in self._stores.episodes.find((client.id, key) for key in reasons).items()}

    def _written(self, sight: Sight, client: Client, task: OpenTask, begun: bool) -> _Outcome:
        rows = self._rows(client)
        there = self._amocrm.tasks_by_id([task.task_id]).get(task.task_id)
        words = _last_words(sight, client, [rows[key] for key in task.struck if key in rows])
        if there is None and not self._is_new(task):
            return _Outcome(None, self._ended(rows, task.reasons, Status.CLOSED))
        if there is not None and there.is_completed:
            by_us = there.result == words and set(task.struck) >= set(task.reasons)
            return _Outcome(None, self._ended(rows, task.reasons, Status.COMPLETED if by_us else Status.CLOSED))
        remaining = [rows[key] for key in task.reasons if key not in task.struck and key in rows]
        is_begun = begun or task.begun or (there is not None and self._is_touched(there, task))
        task = replace(task, begun=is_begun)
        if remaining:
            return self._rewritten(sight, client.id, task, rows, words, there)
        if is_begun:
            self._note(client.id, task, words)
            text = there.text if there else words
            kept = replace(task, text=text or words)
            return _Outcome(kept, self._ended(rows, task.struck, Status.LEFT))
        done = self._change(TaskChange(task.task_id, result=words))
        return _Outcome(None, self._ended(rows, task.reasons, Status.COMPLETED if done else Status.CLOSED))

    def _rewritten(
        self, sight: Sight, client_id: int, task: OpenTask, rows: Rows, words: str, there: Task | None
    ) -> _Outcome:
        """A text that a person has begun to work with is left alone: what is new is told beside it."""
        language = sight.department.language
        marker = next((row.marker for key in task.reasons if (row := rows.get(key)) and row.marker), "")
        remaining = [key for key in task.reasons if key not in task.struck and key in rows]
        reasons = [rows[key].text for key in remaining]
        text = task_text(reasons, marker, language)
        settled = self._ended(rows, task.struck, Status.LEFT if task.begun else Status.COMPLETED)
        if task.begun:
            self._note(client_id, task, words if settled else reasons_text(reasons, language))
            change = TaskChange(task.task_id, responsible_user_id=task.manager)
        else:
            change = TaskChange(task.task_id, responsible_user_id=task.manager, text=text, complete_till=task.due_till)
        is_escalated = any(rows[key].escalations for key in remaining)
        if not task.begun or (is_escalated and (there is None or there.responsible_user_id != task.manager)):
            if not self._change(change):
                return _Outcome(None, [*settled, *self._ended(rows, remaining, Status.CLOSED)])
            task = replace(task, touched_at=self._clock.now())
        return _Outcome(replace(task, text=text), settled)

    def _change(self, change: TaskChange) -> bool:
        result = self._amocrm.change_tasks([change])
        if result.refused:
            self._telemetry.warning("care_task_refused", task_id=change.task_id)
        return change.task_id in result.done

    def _note(self, client_id: int, task: OpenTask, text: str) -> None:
        """On the card, else on the contact; one that stands there already is not written again."""
        if task.lead_id:
            there = self._amocrm.notes_since([task.lead_id], task.set_at)
        else:
            there = self._amocrm.contact_notes_since(client_id, task.set_at)
        if any(note.text == text for note in there):
            return
        if task.lead_id:
            self._amocrm.add_notes([NewNote(task.lead_id, text)])
        else:
            self._amocrm.add_contact_note(client_id, text)

    def _is_touched(self, there: Task, task: OpenTask) -> bool:
        """Whether a person has changed it; robots (0) are nobody."""
        if not self._own_user:
            self._own_user = self._amocrm.account().current_user_id
        is_later = there.updated_at is None or there.updated_at >= task.set_at.replace(microsecond=0)
        return there.updated_by not in (0, self._own_user) and is_later

    def _ended(self, rows: Rows, keys: Iterable[Key], status: Status) -> list[Episode]:
        now = self._clock.now()
        standing = [rows[key] for key in keys if key in rows and rows[key].status in STANDS]
        return [replace(each, status=status, ended_at=now) for each in standing]


def _last_words(sight: Sight, client: Client, struck: Sequence[Episode]) -> str:
    """What the task is completed with: of the return that came last, or that the facts were corrected."""
    came = [each for each in struck if each.returned_at is not None and each.status is not Status.VOID]
    last = max(came, key=lambda each: (each.returned_at, each.key), default=None)
    if last is None or last.returned_at is None:
        return CORRECTED
    rule = sight.rule(last.rule)
    words = rule.exit.result if rule is not None and rule.exit is not None else CAME_BACK
    return worded(words, {"date": day_month_year(local_date(last.returned_at, sight.zone_of(client)))})
