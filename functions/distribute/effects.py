"""What a decision causes in amoCRM, as steps each of which can run again.

accept the item → owner → what people are told (see telling). Humans win: where a person was faster, nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from functions.distribute.telling import Telling
from functions.shared.assignment import Assignment, Mode
from functions.shared.crm import Lead, OwnerChange
from functions.shared.department import Department
from functions.shared.errors import AmoCrmNotFound, AmoCrmRefused
from functions.shared.ports import AmoCrm


@dataclass
class Done:
    """How the effects ended: `applied` are complete; `overtaken` have an owner whom a person chose; `gone` were
    deleted; `refused` could not be given to their owner, with amoCRM's reason; `untold` are leads by id whose task or
    note amoCRM refused."""

    applied: list[Assignment] = field(default_factory=list)
    overtaken: list[Assignment] = field(default_factory=list)
    gone: list[Assignment] = field(default_factory=list)
    refused: list[tuple[Assignment, str]] = field(default_factory=list)
    untold: list[tuple[int, str]] = field(default_factory=list)


class Effects:
    """`departments` gives the version a decision was taken under."""

    def __init__(self, amocrm: AmoCrm, departments: Callable[[int], Department]) -> None:
        self._amocrm = amocrm
        self._departments = departments
        self._telling = Telling(amocrm, departments)

    def apply(
        self, assignments: Sequence[Assignment], leads: Mapping[int, Lead], token_user: int, resumed: Collection[int]
    ) -> Done:
        """Do everything the assignments cause. `leads` are they as just read (missing: gone); `resumed` the ids whose
        effects another run may have begun: their tasks and notes are looked for before they are written."""
        done = Done()
        mine = [assignment for assignment in assignments if self._still_ours(assignment, leads, token_user, done)]
        mine = self._own(mine, leads, token_user, done)
        # who made a lead for himself knows of it
        talked = [assignment for assignment in mine if assignment.mode is not Mode.SELF]
        done.untold = self._telling.tell(talked, leads, set(resumed))
        done.applied = mine
        return done

    def _still_ours(self, assignment: Assignment, leads: Mapping[int, Lead], token_user: int, done: Done) -> bool:
        lead = leads.get(assignment.lead_id)
        if lead is None:
            done.gone.append(assignment)
        elif (
            lead.is_closed
            or lead.responsible_user_id not in _expected(assignment, token_user)
            or (assignment.handed_over and not self._is_there(assignment, lead))
        ):
            done.overtaken.append(assignment)
        else:
            return True
        return False

    def _is_there(self, assignment: Assignment, lead: Lead) -> bool:
        """Whether the lead stands with the team it was handed over to: if not, another hand-over is on its way."""
        department = self._departments(assignment.department_version)
        pipeline = department.pipeline(lead.pipeline_id)
        return pipeline is not None and department.team_of_pipeline(pipeline.role).name == assignment.team

    def _own(
        self, assignments: list[Assignment], leads: Mapping[int, Lead], token_user: int, done: Done
    ) -> list[Assignment]:
        """Accept what is unsorted, then change the owner where it is not the right one yet."""
        now: dict[int, Lead | None] = {**leads, **self._accepted([a for a in assignments if a.uid], leads, done)}
        not_accepted = {a.lead_id for a, _ in done.refused}
        assignments = [a for a in assignments if a.lead_id not in not_accepted]
        found = {lead_id: lead for lead_id, lead in now.items() if lead is not None}
        mine = [a for a in assignments if self._still_ours(a, found, token_user, done)]
        wrong = [a for a in mine if found[a.lead_id].responsible_user_id != a.owner]
        if not wrong:
            return mine
        refused = self._amocrm.change_owners([OwnerChange(a.lead_id, a.owner) for a in wrong]).refused
        done.refused += [(a, refused[a.lead_id]) for a in wrong if a.lead_id in refused]
        return [a for a in mine if a.lead_id not in refused]

    def _accepted(self, assignments: list[Assignment], leads: Mapping[int, Lead], done: Done) -> dict[int, Lead | None]:
        """Accept the items that nobody accepted yet; returns the leads as they are then, None for deleted ones.

        A list may lag, so where a person was faster the lead is read alone: his choice must not be overlooked.
        """
        accepted: list[int] = []
        too_late: list[int] = []
        for assignment in assignments:
            lead = leads[assignment.lead_id]
            pipeline = self._departments(assignment.department_version).pipeline(lead.pipeline_id)
            if pipeline is None or lead.status_id != pipeline.unsorted_status_id:
                continue
            try:
                first = self._amocrm.accept_unsorted(str(assignment.uid), assignment.owner, pipeline.entry_status_id)
            except (AmoCrmRefused, AmoCrmNotFound) as refusal:
                done.refused.append((assignment, str(refusal)))
                continue
            (accepted if first else too_late).append(assignment.lead_id)
        now: dict[int, Lead | None] = {lead_id: self._amocrm.lead(lead_id) for lead_id in too_late}
        return {**now, **self._amocrm.leads(accepted)} if accepted else now


def _expected(assignment: Assignment, token_user: int) -> set[int]:
    """Responsible users that nobody chose on purpose since we decided: seen then, set by us, nobody, the API's own."""
    return {assignment.seen_owner, assignment.owner, 0, token_user}
