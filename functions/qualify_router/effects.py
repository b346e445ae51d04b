"""What decided steps cause in amoCRM, as writes each of which can run again: copies → places → tasks and notes.

Merges are the merger's. Humans win: a lead that stands neither where it was seen nor where it goes is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta

from functions.qualify_router.copying import Copying
from functions.qualify_router.jobs import Done, Job
from functions.qualify_router.merge_writing import EPOCH
from functions.qualify_router.questions import answered, asking_route
from functions.qualify_router.texts import Words
from functions.qualify_router.transitions import hands_over, team_before, then_of
from functions.shared.assignment import Assignment
from functions.shared.crm import Lead, LeadChange, NewNote, NewTask, Note, Task, TaskChange
from functions.shared.department import Department, Kind, Place, Route
from functions.shared.lead_state import BY_HAND, Step
from functions.shared.limits import CLOCKS_APART
from functions.shared.ports import AmoCrm

NO_SURVIVOR = "no_survivor"
"""Reason of the task for a lead that a person calls a duplicate, when nothing is found that it could belong to."""

_ASKING = frozenset({Step.TASK, Step.SUGGEST})
_BY_ANSWER = frozenset({Step.MOVE, Step.CLOSE})

SOON = timedelta(hours=4)
DAY = timedelta(days=1)
"""Deadlines of the tasks that no route names: half a working day for what stands still, a day for a new card."""


class Effects:
    """`arrivals` tells how leads were first given out, by lead id, for those of which we know it; `claim` see
    Copying."""

    def __init__(
        self,
        amocrm: AmoCrm,
        base_url: str,
        arrivals: Callable[[Collection[int]], Mapping[int, Assignment]],
        claim: Callable[[int, int], bool],
    ) -> None:
        self._amocrm = amocrm
        self._base_url = base_url
        self._arrivals = arrivals
        self._copying = Copying(amocrm, base_url, claim)

    def apply(self, jobs: Sequence[Job], department: Department) -> Done:
        """Do everything these steps cause but merging; safe to call again with the same jobs."""
        done = Done()
        for job in jobs:
            if job.decision.step is Step.COPY:
                self._copying.copy(job, department, done)
        going_on = [job for job in jobs if job.lead.id not in done.refused.keys() | done.given_up | done.later]
        self._write_places([job for job in going_on if not job.overtaken], department, done)
        written = [job for job in going_on if job.lead.id not in done.refused]
        self._complete_answered(written, department)
        self._tell(written, department, done)
        return done

    def tell_refused(self, jobs: Sequence[Job], refused: Mapping[int, str], department: Department) -> None:
        """A task for the head: the department and amoCRM do not fit together any more."""
        words = self._words(department)
        tasks = [
            self._for_head(job, department, words.refused(job.decision, refused[job.lead.id]))
            for job in jobs
            if job.decision.to
        ]
        self._add_again(jobs, tasks)

    def tell_unmerged(
        self, jobs: Sequence[Job], refused: Mapping[int, str], over_ceiling: Collection[int], department: Department
    ) -> None:
        """Tasks for merges that were not done, except in a dry run."""
        words = self._words(department)
        tasks = []
        for job in jobs:
            if job.lead.id in refused:
                text = words.not_merged(refused[job.lead.id])
                tasks.append(_task_of(job.lead, 0, text, job.decision.decided_at + SOON))
            elif job.lead.id in over_ceiling:
                tasks.append(self._for_head(job, department, words.over_ceiling()))
        self._add_again(jobs, tasks)

    def _add_again(self, jobs: Sequence[Job], tasks: Sequence[NewTask]) -> None:
        again = [job.decision.decided_at for job in jobs if job.resumed]
        wanted = [task for task in tasks if task.responsible_user_id]
        self._add(wanted, [], min(again) - CLOCKS_APART if again else None)

    # -- places ------------------------------------------------------------------------------------------------------

    def _write_places(self, jobs: Sequence[Job], department: Department, done: Done) -> None:
        changes = [change for job in jobs if (change := self._change(job, department))]
        refused = self._amocrm.change_leads(changes).refused if changes else {}
        again = [
            LeadChange(change.lead_id, place=change.place)
            for change in changes
            if change.loss_reason_id and "loss_reason" in refused.get(change.lead_id, "")
        ]
        if again:
            refused = {lead_id: why for lead_id, why in refused.items() if lead_id not in {c.lead_id for c in again}}
            refused |= self._amocrm.change_leads(again).refused
            done.without_reason |= {change.lead_id for change in again} - refused.keys()
        unknown = [job for job in jobs if job.decision.step is Step.CLOSE and not self._reason(job, department)]
        done.without_reason |= {job.lead.id for job in unknown}
        done.refused |= refused

    def _change(self, job: Job, department: Department) -> LeadChange | None:
        decision = job.decision
        to = then_of(decision, department) if decision.step is Step.COPY else decision.to
        if to is None or to == job.sight.place or decision.step not in (Step.MOVE, Step.CLOSE, Step.RESTORE, Step.COPY):
            return None
        if decision.step is Step.CLOSE:
            return LeadChange(job.lead.id, department.ids(to), loss_reason_id=self._reason(job, department))
        clear = (department.answer_field,) if decision.answer and decision.step is Step.MOVE else ()
        return LeadChange(job.lead.id, department.ids(to), clear_fields=clear)

    def _reason(self, job: Job, department: Department) -> int | None:
        return department.loss_reasons.get(job.decision.reason)

    # -- tasks and notes ---------------------------------------------------------------------------------------------

    def _tell(self, jobs: Sequence[Job], department: Department, done: Done) -> None:
        handed = {job.lead.id for job in jobs if hands_over(job.state, job.decision, department)}
        copied = {job.lead.id for job in jobs if job.decision.step is Step.COPY}
        arrivals = self._arrivals(handed | copied) if handed or copied else {}
        notes = [note for job in jobs for note in self._notes(job, department, done, handed, arrivals)]
        tasks = self._without_standing([task for job in jobs for task in self._tasks(job, department, done)], jobs)
        again = [job.decision.decided_at for job in jobs if job.resumed]
        done.untold |= self._add(tasks, notes, min(again) - CLOCKS_APART if again else None)

    def _notes(
        self,
        job: Job,
        department: Department,
        done: Done,
        handed: Collection[int],
        arrivals: Mapping[int, Assignment],
    ) -> list[NewNote]:
        words, lead, decision = self._words(department), job.lead, job.decision
        arrival = arrivals.get(lead.id)
        channel, owner = arrival.channel if arrival else "", _owner_before(job, arrival, department)
        if decision.step is not Step.COPY:
            text = words.note(
                decision,
                lead,
                handed_over=lead.id in handed,
                owner=owner,
                channel=channel,
                without_reason=lead.id in done.without_reason,
            )
            return [NewNote(lead.id, text)] if text else []
        copy = done.copies[lead.id]
        there = words.copy(lead, owner, channel) if copy.is_new else words.sold_again(lead)
        return [NewNote(lead.id, words.copied(decision, copy.lead_id)), NewNote(copy.lead_id, there)]

    def _tasks(self, job: Job, department: Department, done: Done) -> list[NewTask]:
        words, decision = self._words(department), job.decision
        route = next((route for route in department.routes if route.id == decision.route), None)
        tasks = []
        if decision.step is Step.PARK:
            tasks.append(self._for_head(job, department, words.parked(job.sight.place)))
        elif decision.step is Step.SUGGEST:
            if decision.why == BY_HAND:
                text = words.merge_by_hand(decision.others)
            else:
                unsure, stage = decision.why == "unsure", merge_stage(department)
                text = words.suggest(decision.others, unsure=unsure, stage=stage)
            tasks.append(_task_of(job.lead, 0, text, decision.decided_at + SOON))
        elif decision.step is Step.TASK and decision.reason == NO_SURVIVOR:
            tasks.append(_task_of(job.lead, 0, words.no_survivor(decision.why), decision.decided_at + SOON))
        elif route and route.task:
            tasks.append(self._route_task(job, route, department))
        copy = done.copies.get(job.lead.id)
        if copy and copy.is_new and decision.step is Step.COPY and not self.is_handed_over(job, department):
            text = words.newcomer(decision.to)
            tasks.append(NewTask(copy.lead_id, job.lead.responsible_user_id, text, decision.decided_at + DAY))
        return [task for task in tasks if task.responsible_user_id]

    def _complete_answered(self, jobs: Sequence[Job], department: Department) -> None:
        """The task that asked for an answer is done once the lead goes on by it: it does not go along."""
        moved = {
            job.lead.id: job
            for job in jobs
            if job.decision.answer and job.decision.step in _BY_ANSWER and asking_route(job.decision.seen, department)
        }
        tasks = self._amocrm.tasks_since(moved, EPOCH) if moved else []
        words = self._words(department)
        changes = [
            TaskChange(task.id, result=words.answered(job.decision))
            for job in moved.values()
            for task in answered((task for task in tasks if task.lead_id == job.lead.id), job.decision.seen, department)
        ]
        if changes:
            self._amocrm.change_tasks(changes)

    def _without_standing(self, tasks: Sequence[NewTask], jobs: Sequence[Job]) -> list[NewTask]:
        """Nobody is asked a second time while the same question to him is open."""
        asking = {job.lead.id for job in jobs if job.decision.step in _ASKING}
        asked = {task.lead_id for task in tasks} & asking
        standing = self._amocrm.tasks_since(asked, EPOCH) if asked else []
        open_ones = {_question(task) for task in standing if not task.is_completed}
        return [task for task in tasks if task.lead_id not in asked or _question(task) not in open_ones]

    def is_handed_over(self, job: Job, department: Department) -> bool:
        """Whether the lead that a copy made belongs to another team than the one it comes from, or than its owner: the
        hand-over to him may have been overtaken."""
        assert job.decision.to is not None, "a copy has a place"
        team = department.team_of_pipeline(job.decision.to.role)
        owners = [each for each in department.teams if each.member(job.decision.owner)]
        return team_before(job.state, job.decision, department) != team.name or bool(owners and team not in owners)

    def _route_task(self, job: Job, route: Route, department: Department) -> NewTask:
        assert route.task is not None, "asked for routes with a task only"
        people = {"head": self.head(job, department), "marketing": department.marketing or 0}
        assignee = people.get(route.task.assignee, 0)
        due = job.decision.decided_at + route.task.due
        return _task_of(job.lead, assignee, route.task.text, due)

    def _for_head(self, job: Job, department: Department, text: str) -> NewTask:
        return _task_of(job.lead, self.head(job, department), text, job.decision.decided_at + SOON)

    def head(self, job: Job, department: Department) -> int:
        """Who is told when a lead cannot go on: the head, else whom the team escalates to; 0: the lead's owner."""
        team = department.team_of_pipeline(job.sight.place.role)
        return department.head or team.first_answer.escalate_to or 0

    def _add(self, tasks: Sequence[NewTask], notes: Sequence[NewNote], since: datetime | None) -> dict[int, str]:
        """Write what does not stand yet; `since` None: nothing can stand."""
        if since is not None:
            on_task, on_note = {task.lead_id for task in tasks}, {note.lead_id for note in notes}
            have_task = {_mark(task) for task in self._amocrm.tasks_since(on_task, since)} if tasks else set()
            have_note = {_mark(note) for note in self._amocrm.notes_since(on_note, since)} if notes else set()
            tasks = [task for task in tasks if _mark(task) not in have_task]
            notes = [note for note in notes if _mark(note) not in have_note]
        refused: dict[int, str] = {}
        if tasks:
            refused |= self._amocrm.add_tasks(tasks).refused
        if notes:
            refused |= self._amocrm.add_notes(notes).refused
        return refused

    def _words(self, department: Department) -> Words:
        return Words(department, self._base_url)


def _task_of(lead: Lead, assignee: int, text: str, due: datetime) -> NewTask:
    return NewTask(lead.id, assignee or lead.responsible_user_id, text, due)


def _owner_before(job: Job, arrival: Assignment | None, department: Department) -> int:
    """Who had the lead until now. Whoever drags a card to another team may have given it to one of them in the same
    move: then it was the manager to whom we had given it."""
    decision = job.decision
    there = department.team_of_pipeline(decision.to.role) if decision.to else None
    if there is None or there.member(decision.owner) is None:
        return decision.owner
    known = [*job.state.owners.values(), *([arrival.owner] if arrival else [])]
    return next((owner for owner in known if there.member(owner) is None), decision.owner)


def _question(task: NewTask | Task) -> tuple[int, int, str]:
    return task.lead_id, task.responsible_user_id, task.text.strip()


def _mark(told: NewTask | Task | NewNote | Note) -> tuple[int, str]:
    """By what a repeated run knows its own: the beginning, for what a note tells of the lead may have changed since."""
    return told.lead_id, told.text[:80]


def merge_stage(department: Department) -> Place | None:
    """Where a person moves a lead to have it merged."""
    return next(
        (
            Place(trigger.role, trigger.stage)
            for route in department.routes
            if route.kind is Kind.MERGE
            for trigger in route.when
            if trigger.stage and trigger.answer is None
        ),
        None,
    )
