"""Batch writes that end in a clear outcome for every item.

amoCRM refuses a batch as a whole when one item is wrong, has no idempotency keys, and answers some batches with 504
after doing them (amoCRM API: limits, leads). So: items that amoCRM names are set aside and the rest goes out again;
after an ambiguous answer we look for what stands already, and only the rest goes out again, in halves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, TypeVar

from functions.shared.adapters.amocrm.answers import Json
from functions.shared.adapters.amocrm.client import AmoCrmClient
from functions.shared.crm import BatchResult
from functions.shared.errors import (
    AmbiguousWrite,
    AmoCrmNotFound,
    AmoCrmRefused,
    ConveyorError,
)

CLOCK_DIFFERENCE = timedelta(minutes=1)
"""How far amoCRM's `created_at` may lie before our own time."""

ItemT = TypeVar("ItemT")


@dataclass(frozen=True)
class Kind(Generic[ItemT]):
    """One kind of batch write: where it goes, what an item looks like, and how to see which items stand already.

    `standing(items)` returns the items whose effect can be seen in amoCRM. `repeats` is how often what does not
    stand may go out again after an ambiguous answer. `is_itemised`: a success names the items that it did.
    """

    method: str
    path: str
    key: str
    payload: Callable[[ItemT], dict[str, Any]]
    standing: Callable[[Sequence[ItemT]], list[ItemT]]
    repeats: int
    is_itemised: bool = True


@dataclass
class Outcome(Generic[ItemT]):
    """What became of every item; `refused` with amoCRM's reason. `made` are the ids that amoCRM gave to new things, as
    far as its answers arrived."""

    done: list[ItemT] = field(default_factory=list)
    refused: list[tuple[ItemT, str]] = field(default_factory=list)
    made: list[tuple[ItemT, int]] = field(default_factory=list)

    def by(self, id_of: Callable[[ItemT], int]) -> BatchResult:
        """By lead or task: refused if anything of it was, done only if everything of it stands."""
        refused = {id_of(item): reason for item, reason in self.refused}
        return BatchResult(frozenset(map(id_of, self.done)) - refused.keys(), refused)


class BatchWriter:
    def __init__(self, client: AmoCrmClient) -> None:
        self._client = client

    def write(self, kind: Kind[ItemT], items: Sequence[ItemT]) -> Outcome[ItemT]:
        """Write all items, `write_size` a request.

        Raises AmoCrmUnavailable if a request was not done, AmbiguousWrite if that could not be found out; requests
        before that one have been done, so the caller must look before it writes again.
        """
        size = self._client.config.write_size
        outcome: Outcome[ItemT] = Outcome()
        chunks = [items[start : start + size] for start in range(0, len(items), size)]
        if len(chunks) > 1:
            self._client.budget.expect(len(chunks))
        for chunk in chunks:
            self._deliver(kind, chunk, outcome, kind.repeats)
        return outcome

    def write_all(self, kind: Kind[ItemT], batches: Iterable[Sequence[ItemT]]) -> Outcome[ItemT]:
        """Batches one after the other. Raises the same."""
        outcomes = [self.write(kind, batch) for batch in batches]
        done = [item for outcome in outcomes for item in outcome.done]
        return Outcome(done, [refused for outcome in outcomes for refused in outcome.refused])

    def _deliver(self, kind: Kind[ItemT], items: Sequence[ItemT], outcome: Outcome[ItemT], repeats: int) -> None:
        if not items:
            return
        try:
            self._send(kind, items, outcome)
        except (AmoCrmRefused, AmoCrmNotFound) as refusal:
            self._deliver_accepted(kind, items, outcome, repeats, refusal)
        except AmbiguousWrite as unclear:
            self._deliver_missing(kind, items, outcome, repeats, unclear)

    def _send(self, kind: Kind[ItemT], items: Sequence[ItemT], outcome: Outcome[ItemT]) -> None:
        body = [kind.payload(item) | {"request_id": str(index)} for index, item in enumerate(items)]
        answer = self._client.write(kind.method, kind.path, body)
        rows: list[Json] = ((answer or {}).get("_embedded") or {}).get(kind.key) or []
        confirmed = {str(row.get("request_id")): row.get("id") for row in rows}
        outcome.made += [(item, id_) for at, item in enumerate(items) if isinstance(id_ := confirmed.get(str(at)), int)]
        for index, item in enumerate(items):
            if not kind.is_itemised or len(rows) == len(items) or str(index) in confirmed:
                outcome.done.append(item)
            else:
                outcome.refused.append((item, "amoCRM left it out of its answer"))

    def _deliver_accepted(
        self,
        kind: Kind[ItemT],
        items: Sequence[ItemT],
        outcome: Outcome[ItemT],
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
        outcome: Outcome[ItemT],
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


def rounds(items: Sequence[ItemT], id_of: Callable[[ItemT], int]) -> list[list[ItemT]]:
    """Batches in which no id comes twice: amoCRM does not say in which order it takes the items of one."""
    batches: list[list[ItemT]] = []
    seen: Counter[int] = Counter()
    for item in items:
        at = seen[id_of(item)]
        seen[id_of(item)] += 1
        if at == len(batches):
            batches.append([])
        batches[at].append(item)
    return batches


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
