"""Batch writes that end in a clear outcome for every item.

amoCRM refuses a batch as a whole when one item is wrong, has no idempotency keys, and answers some batches with 504
after doing them (amoCRM API: limits, leads). So: items that amoCRM names are set aside and the rest goes out again;
after an ambiguous answer we look for what stands already, and only the rest goes out again, in halves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from functions.shared.adapters.amocrm.answers import Json
from functions.shared.adapters.amocrm.client import AmoCrmClient
from functions.shared.crm import BatchResult, NewNote, NewTask, OwnerChange
from functions.shared.errors import (
    AmbiguousWrite,
    AmoCrmNotFound,
    AmoCrmRefused,
    ConveyorError,
)

ItemT = TypeVar("ItemT", OwnerChange, NewTask, NewNote)


@dataclass(frozen=True)
class Kind(Generic[ItemT]):
    """One kind of batch write: where it goes, what an item looks like, and how to see which items stand already.

    `standing(items)` returns the items whose effect can be seen in amoCRM. `repeats` is how often what does not
    stand may go out again after an ambiguous answer.
    """

    method: str
    path: str
    key: str
    payload: Callable[[ItemT], dict[str, Any]]
    standing: Callable[[Sequence[ItemT]], list[ItemT]]
    repeats: int


@dataclass
class _Outcome(Generic[ItemT]):
    done: list[ItemT] = field(default_factory=list)
    refused: list[tuple[ItemT, str]] = field(default_factory=list)

    def result(self) -> BatchResult:
        """By lead: refused if anything of it was, done only if everything of it stands."""
        refused = {item.lead_id: reason for item, reason in self.refused}
        return BatchResult(frozenset(item.lead_id for item in self.done) - refused.keys(), refused)


class BatchWriter:
    def __init__(self, client: AmoCrmClient) -> None:
        self._client = client

    def write(self, kind: Kind[ItemT], items: Sequence[ItemT]) -> BatchResult:
        """Write all items, `write_size` a request.

        Raises AmoCrmUnavailable if a request was not done, AmbiguousWrite if that could not be found out; requests
        before that one have been done, so the caller must look before it writes again.
        """
        size = self._client.config.write_size
        outcome: _Outcome[ItemT] = _Outcome()
        chunks = [items[start : start + size] for start in range(0, len(items), size)]
        if len(chunks) > 1:
            self._client.budget.expect(len(chunks))
        for chunk in chunks:
            self._deliver(kind, chunk, outcome, kind.repeats)
        return outcome.result()

    def _deliver(self, kind: Kind[ItemT], items: Sequence[ItemT], outcome: _Outcome[ItemT], repeats: int) -> None:
        if not items:
            return
        try:
            self._send(kind, items, outcome)
        except (AmoCrmRefused, AmoCrmNotFound) as refusal:
            self._deliver_accepted(kind, items, outcome, repeats, refusal)
        except AmbiguousWrite as unclear:
            self._deliver_missing(kind, items, outcome, repeats, unclear)

    def _send(self, kind: Kind[ItemT], items: Sequence[ItemT], outcome: _Outcome[ItemT]) -> None:
        body = [kind.payload(item) | {"request_id": str(index)} for index, item in enumerate(items)]
        answer = self._client.write(kind.method, kind.path, body)
        rows: list[Json] = ((answer or {}).get("_embedded") or {}).get(kind.key) or []
        confirmed = {str(row.get("request_id")) for row in rows}
        for index, item in enumerate(items):
            if len(rows) == len(items) or str(index) in confirmed:
                outcome.done.append(item)
            else:
                outcome.refused.append((item, "amoCRM left it out of its answer"))

    def _deliver_accepted(
        self,
        kind: Kind[ItemT],
        items: Sequence[ItemT],
        outcome: _Outcome[ItemT],
        repeats: int,
        refusal: AmoCrmRefused | AmoCrmNotFound,
    ) -> None:
        """Nothing was written: set the named items aside; if amoCRM names none, the halves tell who it is."""
        reasons = refusal.refused if isinstance(refusal, AmoCrmRefused) else {}
        named = {index for index in range(len(items)) if str(index) in reasons}
        if named:
            outcome.refused += [(items[index], reasons[str(index)]) for index in sorted(named)]
            rest = [item for index, item in enumerate(items) if index not in named]
            self._deliver(kind, rest, outcome, repeats)
        elif len(items) == 1:
            outcome.refused.append((items[0], str(refusal)))
        else:
            for half in _halves(items):
                self._deliver(kind, half, outcome, repeats)

    def _deliver_missing(
        self,
        kind: Kind[ItemT],
        items: Sequence[ItemT],
        outcome: _Outcome[ItemT],
        repeats: int,
        unclear: AmbiguousWrite,
    ) -> None:
        """Perhaps written: wait until lists show it, keep what stands, send the rest once more in halves."""
        self._client.clock.sleep(self._client.config.settle)
        try:
            standing = kind.standing(items)
        except ConveyorError as blind:
            raise AmbiguousWrite(f"{unclear}; and its effect cannot be read") from blind
        outcome.done += standing
        missing = _without(items, standing)
        if missing and not repeats:
            raise unclear
        for half in _halves(missing):
            self._deliver(kind, half, outcome, repeats - 1)


def _halves(items: Sequence[ItemT]) -> Iterator[Sequence[ItemT]]:
    """504 and timeouts ask for smaller batches (amoCRM API: recommendations)."""
    middle = (len(items) + 1) // 2
    yield from (half for half in (items[:middle], items[middle:]) if half)


def _without(items: Sequence[ItemT], taken: Sequence[ItemT]) -> list[ItemT]:
    """Multiset difference: of two equal items, one may stand and the other not."""
    left = list(items)
    for item in taken:
        left.remove(item)
    return left


def owner_payload(change: OwnerChange) -> dict[str, Any]:
    """Nothing but the owner, above all no `updated_at`: amoCRM has no lock, an old value could undo another's work."""
    return {"id": change.lead_id, "responsible_user_id": change.responsible_user_id}


def task_payload(task: NewTask) -> dict[str, Any]:
    return {
        "entity_type": "leads",
        "entity_id": task.lead_id,
        "responsible_user_id": task.responsible_user_id,
        "task_type_id": task.task_type_id,
        "text": task.text,
        "complete_till": int(task.complete_till.timestamp()),
    }


def note_payload(note: NewNote) -> dict[str, Any]:
    return {"entity_id": note.lead_id, "note_type": "common", "params": {"text": note.text}}
