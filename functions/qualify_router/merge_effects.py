"""What a batch of merges causes in amoCRM, in an order in which a crash anywhere loses nothing.

contacts and company → tags, price and fields → notes → tasks → close the duplicates → tell on them where they went, and
complete the tasks that asked about them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from functions.qualify_router import merge_plan
from functions.qualify_router.merge_plan import Share
from functions.qualify_router.merge_texts import DUPLICATE, Words
from functions.qualify_router.merge_writing import Writing
from functions.shared.crm import LOST, LeadChange, Note


class MergeEffects:
    def __init__(self, writing: Writing) -> None:
        self._writing = writing

    def apply(
        self, shares: Sequence[Share], owners: Mapping[int, int], standing: Sequence[Note], words: Words
    ) -> dict[int, str]:
        """Do everything that these merges cause; safe to call again. `owners` are those of the leads that go on,
        `standing` the notes that all of them have. Returns the duplicates that stay open because amoCRM refused what
        nothing may be lost of, with its reason."""
        refused: dict[int, str] = {}
        shares = self._enrich(shares, standing, words, refused)
        self._move_tasks(shares, owners, standing, words)
        self._close(shares, standing, words, refused)
        return refused

    def _enrich(
        self, shares: Sequence[Share], standing: Sequence[Note], words: Words, refused: dict[int, str]
    ) -> list[Share]:
        """Returns the shares whose content stands in the lead that goes on."""
        unlinked = self._writing.link([link for share in shares for link in merge_plan.links(share)])
        refused_fields, blocked = self._writing.fill(merge_plan.changes(shares))
        shares = _unblocked(shares, blocked, refused)
        copies = [note for share in shares for note in merge_plan.copies(share, words)]
        told = [
            note
            for share in shares
            for note in merge_plan.summaries(share, words, refused_fields.get(share.merge.survivor_id, ()), unlinked)
        ]
        return _unblocked(shares, self._writing.note(copies, told, standing), refused)

    def _move_tasks(
        self, shares: Sequence[Share], owners: Mapping[int, int], standing: Sequence[Note], words: Words
    ) -> None:
        """What a task said that cannot be moved stands in a note: it hangs on a closed card otherwise."""
        moves = [each for share in shares for each in merge_plan.task_changes(share, owners[share.merge.survivor_id])]
        stuck = self._writing.move_tasks(moves)
        tasks = [(share, task) for share in shares for task in share.open_tasks if task.id in stuck]
        self._writing.note([merge_plan.task_left(share, task, words) for share, task in tasks], [], standing)

    def _close(self, shares: Sequence[Share], standing: Sequence[Note], words: Words, refused: dict[int, str]) -> None:
        """One that is closed already was closed by a run before this, or by a person."""
        reason = words.department.loss_reasons.get(DUPLICATE)
        running = [share.lead for share in shares if not share.lead.is_closed]
        without, stuck = self._writing.close(
            [LeadChange(lead.id, (lead.pipeline_id, LOST), loss_reason_id=reason) for lead in running]
        )
        refused |= stuck
        closed = [share for share in shares if share.lead.id not in stuck]
        signposts = [
            merge_plan.signpost(share, words, has_reason=reason is not None and not _is_without(share, without))
            for share in closed
        ]
        self._writing.note([], signposts, standing)
        self._writing.complete_tasks([change for share in closed for change in merge_plan.answers(share, words)])


def _unblocked(shares: Sequence[Share], blocked: Mapping[int, str], refused: dict[int, str]) -> list[Share]:
    """The shares whose lead that goes on takes them in; the others are entered as refused."""
    refused |= {s.lead.id: blocked[s.merge.survivor_id] for s in shares if s.merge.survivor_id in blocked}
    return [share for share in shares if share.merge.survivor_id not in blocked]


def _is_without(share: Share, without: set[int]) -> bool:
    return share.lead.id in without or (share.lead.is_closed and share.lead.loss_reason_id is None)
