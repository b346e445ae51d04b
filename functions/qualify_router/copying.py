"""The lead on which a copied one goes on: made once, or a card that the client has already."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from functions.qualify_router.jobs import Copy, Done, Job
from functions.qualify_router.texts import Words
from functions.shared.crm import Contact, Lead, NewLead
from functions.shared.department import AFTERCARE, Department, Place
from functions.shared.errors import AmoCrmRefused
from functions.shared.limits import CLOCKS_APART
from functions.shared.ports import AmoCrm
from functions.shared.twins import LEADS_OF_A_CLIENT


class Copying:
    """`base_url` is the account's, for the address that links the copy to the card it comes from. `claim(client, lead)`
    says whether this lead may make the client's card in aftercare now: two sales of one client in the same minute must
    not make two, and lists show the first one late."""

    def __init__(self, amocrm: AmoCrm, base_url: str, claim: Callable[[int, int], bool]) -> None:
        self._amocrm = amocrm
        self._base_url = base_url
        self._claim = claim

    def copy(self, job: Job, department: Department, done: Done) -> None:
        """Enter the copy of this job in `done`, or that amoCRM refuses it.

        The price stays with the lead that earned it. amoCRM has no idempotency keys: a run that repeats another looks
        for the copy by its origin first, wherever a person may have put it since.
        """
        decision, lead = job.decision, job.lead
        assert decision.to is not None, "a copy has a place"
        origin = (department.origin_field, Words(department, self._base_url).url(lead.id))
        made = self._amocrm.copies_of(origin, None, decision.decided_at - CLOCKS_APART) if job.resumed else []
        others = [other for other in self._others(lead) if other.id not in {copy.id for copy in made}]
        known = self._known_owner(job, others, department)
        if made:
            done.copies[lead.id] = Copy(made[0].id, is_new=True, known_owner=known)
        elif job.overtaken:
            done.given_up.add(lead.id)
        elif card := _care_card(others, decision.to, department):
            done.copies[lead.id] = Copy(card.id, is_new=False)
        elif decision.to.role == AFTERCARE and lead.contacts and not self._claim(lead.contacts[0], lead.id):
            done.later.add(lead.id)
        else:
            try:
                copy_id = self._create(_content(lead, decision.to, origin, department))
            except AmoCrmRefused as refusal:
                done.refused[lead.id] = str(refusal)
            else:
                done.copies[lead.id] = Copy(copy_id, is_new=True, known_owner=known)

    def _create(self, copy: NewLead) -> int:
        """Once more with the origin alone where amoCRM refuses a custom field: they stand on the card it comes from."""
        try:
            return self._amocrm.add_lead(copy)
        except AmoCrmRefused as refusal:
            if not copy.fields or not any("custom_fields" in path for path, _ in refusal.problems):
                raise
        return self._amocrm.add_lead(replace(copy, fields=()))

    def _others(self, lead: Lead) -> list[Lead]:
        """The other leads of the client, the latest change first."""
        contacts: Collection[Contact] = self._amocrm.contacts(lead.contacts).values() if lead.contacts else ()
        latest = (sorted(contact.leads)[-LEADS_OF_A_CLIENT:] for contact in contacts)
        ids = {other for leads in latest for other in leads if other != lead.id}
        found = self._amocrm.leads(ids) if ids else {}
        return sorted(found.values(), key=lambda other: (other.updated_at, other.id), reverse=True)

    def _known_owner(self, job: Job, others: Sequence[Lead], department: Department) -> int:
        """Who of the team that gets the copy had the client last; 0: nobody."""
        assert job.decision.to is not None, "a copy has a place"
        team = department.team_of_pipeline(job.decision.to.role)
        pipelines = {pipeline.id for pipeline in department.pipelines_of(team)}
        theirs = [other.responsible_user_id for other in others if other.pipeline_id in pipelines]
        origin = self._amocrm.lead(job.state.origin) if job.state.origin else None
        owners = [job.state.owners.get(team.name, 0), origin.responsible_user_id if origin else 0, *theirs]
        return next((owner for owner in owners if owner and team.member(owner)), 0)


def _care_card(others: Sequence[Lead], to: Place, department: Department) -> Lead | None:
    """The client's open card in aftercare: nobody is cared for twice."""
    if to.role != AFTERCARE:
        return None
    pipeline_id = department.pipeline_of(AFTERCARE).id
    return next((other for other in others if other.pipeline_id == pipeline_id and not other.is_closed), None)


def _content(lead: Lead, to: Place, origin: tuple[int, str], department: Department) -> NewLead:
    pipeline_id, status_id = department.ids(to)
    ours = (department.answer_field, department.origin_field)
    return NewLead(
        name=lead.name,
        pipeline_id=pipeline_id,
        status_id=status_id,
        responsible_user_id=lead.responsible_user_id,
        origin=origin,
        contacts=lead.contacts,
        company=lead.company,
        tags=lead.tags,
        fields=tuple(field for field in lead.fields if field.field_id not in ours),
    )
