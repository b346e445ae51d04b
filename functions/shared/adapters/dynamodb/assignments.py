"""Ledgers and assignments: one transaction moves a ledger and stores what was decided against it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, replace
from datetime import datetime

from functions.shared.adapters.dynamodb import keys
from functions.shared.adapters.dynamodb.rows import unmoved
from functions.shared.adapters.dynamodb.table import TRANSACTION_LIMIT, ConditionFailed, Item, Table
from functions.shared.assignment import FALLEN, Assignment, HandOver, Mode, Standing, State, TeamLedger
from functions.shared.fairness import Ledger

DECISIONS_PER_TRANSACTION = TRANSACTION_LIMIT - 1
"""The ledger itself takes one of the places."""

_UNDECIDED = "attribute_not_exists(pk) OR assignment_state IN (:withdrawn, :gone)"


class LedgerMoved(Exception):
    """Somebody else decided for this team since we read its ledger: read it and decide again."""


class AlreadyDecided(Exception):
    """Some of the leads have a decision already; nothing of the transaction was stored."""

    def __init__(self, lead_ids: Collection[int]) -> None:
        super().__init__(f"already decided: {sorted(lead_ids)}")
        self.lead_ids = frozenset(lead_ids)


class Assignments:
    """The store of decisions."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def ledger(self, team: str) -> TeamLedger:
        """The team's ledger; version 0 when it was never written."""
        item = self._table.get(keys.ledger(team))
        return _ledger_from(item) if item else TeamLedger(team)

    def decided(self, lead_ids: Iterable[int], cause: str) -> dict[int, Assignment]:
        """The decisions that stand for these leads under this cause, each in its true state; fallen ones do not."""
        items = self._table.get_many(keys.assignment(lead_id, cause) for lead_id in lead_ids)
        found = {assignment.lead_id: assignment for assignment in map(assignment_from, items)}
        standing = {key: value for key, value in found.items() if not value.is_fallen}
        return self._with_done(standing)

    def of_lead(self, lead_id: int) -> list[Assignment]:
        """All decisions about a lead, whatever their cause and state, in the order they were taken."""
        return self.of_leads([lead_id])[lead_id]

    def of_leads(self, lead_ids: Iterable[int]) -> dict[int, list[Assignment]]:
        """The same for several leads; costs a query each."""
        wanted = sorted(set(lead_ids))
        items = (item for lead_id in wanted for item in self._table.query(f"LEAD#{lead_id}", "ASSIGN#"))
        found = self._with_done(dict(enumerate(map(assignment_from, items))))
        history: dict[int, list[Assignment]] = {lead_id: [] for lead_id in wanted}
        for assignment in sorted(found.values(), key=lambda assignment: assignment.decided_at):
            history[assignment.lead_id].append(assignment)
        return history

    def decide(
        self, before: TeamLedger, after: TeamLedger, decisions: Sequence[Assignment]
    ) -> tuple[TeamLedger, list[Assignment]]:
        """Store the decisions that lead from one ledger to the next, all or nothing; returns both as stored.

        Raises LedgerMoved, AlreadyDecided, or Contended when another transaction is under way.
        """
        if not decisions:
            return before, []
        after = replace(after, version=before.version + 1)
        stored = [
            replace(decision, ledger_version=after.version, decided_together=len(decisions)) for decision in decisions
        ]
        puts = [
            self._table.put_action(_item_of(decision), _UNDECIDED, {f":{state.value}": state.value for state in FALLEN})
            for decision in stored
        ]
        self._transact(before, after, puts, [decision.lead_id for decision in stored])
        return after, stored

    def give_back(self, before: TeamLedger, after: TeamLedger, assignment: Assignment, state: State) -> None:
        """Store a turn given back with the state that says why. Raises LedgerMoved, or AlreadyDecided when another
        has given it back before us."""
        change = self._table.update_action(
            keys.assignment(assignment.lead_id, assignment.cause),
            "SET assignment_state = :to REMOVE lease_until",
            {":to": state.value, ":version": assignment.ledger_version, ":pending": "pending", ":applied": "applied"},
            "ledger_version = :version AND assignment_state IN (:pending, :applied)",
        )
        self._transact(before, replace(after, version=before.version + 1), [change], [assignment.lead_id])

    def take_over(self, assignment: Assignment, now: datetime, lease_until: datetime) -> bool:
        """Become the one who does the effects of a decision whose worker is gone; False if somebody else is."""
        try:
            self._table.update(
                keys.assignment(assignment.lead_id, assignment.cause),
                "SET lease_until = :until",
                {":until": _text(lease_until), ":now": _text(now), ":pending": State.PENDING.value},
                "assignment_state = :pending AND lease_until <= :now",
            )
        except ConditionFailed:
            return False
        return True

    def mark_applied(self, assignments: Sequence[Assignment]) -> None:
        """All effects of these are done. A transaction whose every decision is done gets one marker: one write
        unit instead of one per lead; what was resumed alone is marked alone."""
        whole: dict[tuple[str, int], list[Assignment]] = {}
        for assignment in assignments:
            whole.setdefault((assignment.team, assignment.ledger_version), []).append(assignment)
        for (team, version), group in whole.items():
            if len(group) == group[0].decided_together:
                self._table.put({**keys.done(team, version), "entity": "done"})
            else:
                for assignment in group:
                    self._mark_alone(assignment)

    def _mark_alone(self, assignment: Assignment) -> None:
        try:
            self._table.update(
                keys.assignment(assignment.lead_id, assignment.cause),
                "SET assignment_state = :applied REMOVE lease_until",
                {":applied": State.APPLIED.value, ":pending": State.PENDING.value},
                "assignment_state = :pending",
            )
        except ConditionFailed:
            return  # given back by another meanwhile: his word stands

    def _transact(self, before: TeamLedger, after: TeamLedger, actions: list[Item], lead_ids: list[int]) -> None:
        move = self._table.put_action(*ledger_move(before, after))
        try:
            self._table.transact([move, *actions])
        except ConditionFailed as failure:
            if failure.items[0] is not None:
                raise LedgerMoved from failure
            standing = [lead_id for lead_id, item in zip(lead_ids, failure.items[1:], strict=True) if item is not None]
            raise AlreadyDecided(standing) from failure

    def _with_done(self, found: Mapping[int, Assignment]) -> dict[int, Assignment]:
        """Pending decisions whose whole transaction carries the done marker are applied."""
        pending = {(value.team, value.ledger_version) for value in found.values() if value.is_open}
        markers = self._table.get_many(keys.done(team, version) for team, version in sorted(pending))
        done = {(item["pk"], item["sk"]) for item in markers}
        result = {}
        for key, value in found.items():
            marker = keys.done(value.team, value.ledger_version)
            is_done = value.is_open and (marker["pk"], marker["sk"]) in done
            result[key] = replace(value, state=State.APPLIED, lease_until=None) if is_done else value
        return result


def _item_of(assignment: Assignment) -> Item:
    optional: Item = {"uid": assignment.uid} if assignment.uid else {}
    if assignment.lease_until:
        optional["lease_until"] = _text(assignment.lease_until)
    if assignment.handed_over:
        optional["handed_over"] = asdict(assignment.handed_over)
    if assignment.predecessors:
        optional["predecessors"] = list(assignment.predecessors)
    return {
        **keys.assignment(assignment.lead_id, assignment.cause),
        "entity": "assignment",
        "team": assignment.team,
        "channel": assignment.channel,
        "owner": assignment.owner,
        "mode": assignment.mode.value,
        "considered": [list(astuple(standing)) for standing in assignment.considered],
        "excluded": {reason: list(user_ids) for reason, user_ids in assignment.excluded.items()},
        "seen_owner": assignment.seen_owner,
        "decided_at": _text(assignment.decided_at),
        "arrived_at": _text(assignment.arrived_at),
        "department_version": assignment.department_version,
        "ledger_version": assignment.ledger_version,
        "decided_together": assignment.decided_together,
        "assignment_state": assignment.state.value,
        **optional,
    }


def assignment_from(item: Item) -> Assignment:
    """The decision as stored; whether its transaction is done is another item's word (Assignments.decided)."""
    lead_id = int(item["pk"].removeprefix("LEAD#"))
    return Assignment(
        lead_id=lead_id,
        cause=item["sk"].removeprefix("ASSIGN#"),
        team=item["team"],
        channel=item["channel"],
        owner=item["owner"],
        mode=Mode(item["mode"]),
        considered=tuple(Standing(*standing) for standing in item["considered"]),
        excluded={reason: tuple(user_ids) for reason, user_ids in item["excluded"].items()},
        seen_owner=item["seen_owner"],
        decided_at=_moment(item["decided_at"]),
        arrived_at=_moment(item["arrived_at"]),
        department_version=item["department_version"],
        ledger_version=item["ledger_version"],
        decided_together=item["decided_together"],
        uid=item.get("uid"),
        state=State(item["assignment_state"]),
        lease_until=_moment(item["lease_until"]) if "lease_until" in item else None,
        handed_over=HandOver(**item["handed_over"]) if "handed_over" in item else None,
        predecessors=tuple(item.get("predecessors", ())),
    )


def ledger_move(before: TeamLedger, after: TeamLedger) -> tuple[Item, str, Item | None]:
    """The ledger as it is to be stored, and condition and values: nobody has moved it since it was read."""
    return _ledger_item(after), *unmoved(before.version)


def _ledger_item(ledger: TeamLedger) -> Item:
    """Every book is a list in the order of `members`: keys repeated in each book would double the item, and a
    transaction pays twice for every kilobyte."""
    books = [ledger.books.total, *ledger.books.channels.values(), ledger.given, ledger.open]
    members = sorted({user_id for book in books for user_id in book})

    def column(book: Mapping[int, int]) -> list[int]:
        return [book.get(user_id, 0) for user_id in members]

    return {
        **keys.ledger(ledger.team),
        "entity": "ledger",
        "version": ledger.version,
        "members": members,
        "total": column(ledger.books.total),
        "channels": {name: column(book) for name, book in ledger.books.channels.items()},
        "day": ledger.day,
        "given": column(ledger.given),
        "counted_at": _text(ledger.counted_at) if ledger.counted_at else None,
        "counted_under": ledger.counted_under,
        "open": column(ledger.open),
    }


def _ledger_from(item: Item) -> TeamLedger:
    def book(column: Sequence[int]) -> dict[int, int]:
        pairs = zip(item["members"], column, strict=True)
        return {user_id: value for user_id, value in pairs if value}

    return TeamLedger(
        team=item["pk"].removeprefix("TEAM#"),
        version=item["version"],
        books=Ledger(book(item["total"]), {name: book(column) for name, column in item["channels"].items()}),
        day=item["day"],
        given=book(item["given"]),
        counted_at=_moment(item["counted_at"]) if item["counted_at"] else None,
        counted_under=item["counted_under"],
        open=book(item["open"]),
    )


def _text(moment: datetime) -> str:
    """ISO with microseconds always, so that the strings sort as the moments do."""
    return moment.isoformat(timespec="microseconds")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
