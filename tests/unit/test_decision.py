"""The decision about a batch: order of the rules, ledger, caps."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from functions.distribute.decision import decide, take_back
from functions.shared.assignment import HandOver, Mode, TeamLedger
from functions.shared.eligibility import Rule
from functions.shared.fairness import UNIT
from tests.builders import ANNA, BORIS, DUTY, GLEB, VERA, make_candidate, make_member, make_moment, make_team

LEDGER = TeamLedger("lead_desk")


def owners(outcome):
    return {assignment.lead_id: assignment.owner for assignment in outcome.assignments}


def test_three_leads_go_to_three_managers():
    outcome = decide(LEDGER, make_team(), [make_candidate(lead) for lead in (1, 2, 3)], make_moment())

    assert set(owners(outcome).values()) == {ANNA, BORIS, VERA}
    assert all(abs(balance) <= 3 for balance in outcome.ledger.books.total.values()), "all but billionths are even"


def test_every_decision_tells_who_was_considered_with_the_balances_before_it():
    outcome = decide(LEDGER, make_team(), [make_candidate(1), make_candidate(2)], make_moment({VERA: Rule.ABSENT}))

    first, second = outcome.assignments
    assert first.excluded == {"absent": (VERA,)}
    assert [standing.total for standing in first.considered] == [0, 0]
    assert sorted(standing.total for standing in second.considered) == [-UNIT // 2, UNIT // 2]
    assert sum(second.claims.values()) == UNIT


def test_who_is_hindered_gets_nothing_and_accrues_nothing():
    outcome = decide(
        LEDGER, make_team(), [make_candidate(lead) for lead in range(1, 10)], make_moment({VERA: Rule.OFF_SHIFT})
    )

    assert VERA not in owners(outcome).values()
    assert VERA not in outcome.ledger.books.total


def test_the_clients_own_manager_takes_the_lead_and_nobody_pays():
    team = make_team([make_member(ANNA, max_per_day=0), make_member(BORIS)])
    outcome = decide(LEDGER, team, [make_candidate(1, own_managers=(ANNA,))], make_moment())

    assert owners(outcome) == {1: ANNA}, "a cap does not bind him with his own client"
    assert outcome.assignments[0].mode is Mode.OWN_CLIENT
    assert outcome.ledger.books.total == {}


def test_an_own_manager_who_is_off_shift_does_not_keep_the_client_waiting():
    outcome = decide(
        LEDGER, make_team(), [make_candidate(1, own_managers=(ANNA,))], make_moment({ANNA: Rule.OFF_SHIFT})
    )

    assert owners(outcome)[1] in (BORIS, VERA)
    assert outcome.assignments[0].mode is Mode.FAIR


def test_the_first_own_manager_who_can_take_the_lead_now_gets_it():
    candidate = make_candidate(1, own_managers=(DUTY, ANNA, VERA))
    outcome = decide(LEDGER, make_team(), [candidate], make_moment({ANNA: Rule.ABSENT}))

    assert owners(outcome) == {1: VERA}, "one is of no team, one is away"
    assert outcome.ledger.books.total == {}


def test_a_manager_of_another_team_comes_after_the_own_ones_and_before_the_queue():
    guests = replace(make_moment(), guests=frozenset({GLEB}))
    candidates = [make_candidate(1, guest=GLEB), make_candidate(2, guest=GLEB, own_managers=(ANNA,))]

    assert owners(decide(LEDGER, make_team(), candidates, guests)) == {1: GLEB, 2: ANNA}
    assert decide(LEDGER, make_team(), candidates, guests).ledger.books.total == {}
    assert owners(decide(LEDGER, make_team(), candidates[:1], make_moment()))[1] != GLEB, "he cannot work now"


def test_leads_of_one_client_are_known_in_a_batch_by_his_other_leads():
    candidates = [make_candidate(7, client=7, twins=(8,)), make_candidate(8, client=8, twins=(7,)), make_candidate(9)]
    outcome = decide(LEDGER, make_team(), candidates, make_moment())

    assert owners(outcome)[7] == owners(outcome)[8] != owners(outcome)[9]


def test_a_decision_keeps_its_cause_and_where_the_lead_comes_from():
    crossed = HandOver("exchange.qualified", previous_owner=GLEB)
    (assignment,) = decide(
        LEDGER,
        make_team(),
        [make_candidate(1, cause="route#3", handed_over=crossed, predecessors=(VERA,))],
        make_moment(),
    ).assignments

    assert (assignment.cause, assignment.handed_over) == ("route#3", crossed)
    assert assignment.predecessors == (VERA,)


def test_two_leads_of_one_client_in_a_batch_go_to_one_manager():
    candidates = [make_candidate(lead, client=500) for lead in (1, 2, 3)]
    outcome = decide(LEDGER, make_team(), candidates, make_moment())

    assert len(set(owners(outcome).values())) == 1
    assert [assignment.mode for assignment in outcome.assignments] == [Mode.FAIR, Mode.OWN_CLIENT, Mode.OWN_CLIENT]


def test_a_lead_that_a_person_gave_to_a_member_stays_there():
    outcome = decide(LEDGER, make_team(), [make_candidate(1, manual_owner=VERA)], make_moment({VERA: Rule.ABSENT}))

    assert owners(outcome) == {1: VERA}
    assert outcome.assignments[0].mode is Mode.MANUAL
    assert outcome.ledger.books.total == {}


def test_a_cap_per_day_holds_within_a_batch_and_starts_anew_next_day():
    team = make_team([make_member(ANNA, max_per_day=2), make_member(BORIS, max_per_day=2)])
    outcome = decide(LEDGER, team, [make_candidate(lead) for lead in range(1, 6)], make_moment())

    assert sorted(owners(outcome).values()) == [ANNA, ANNA, BORIS, BORIS]
    assert [one.refused for one in outcome.unassigned] == [{ANNA: Rule.MAX_PER_DAY, BORIS: Rule.MAX_PER_DAY}]
    tomorrow = replace(make_moment(), day="2026-11-24")
    assert decide(outcome.ledger, team, [make_candidate(9)], tomorrow).assignments


def test_a_cap_of_open_leads_counts_what_was_given_since_the_count():
    team = make_team([make_member(ANNA, max_open=41), make_member(BORIS)])
    counted = LEDGER.counted({ANNA: 40}, make_moment().now, 1)
    outcome = decide(counted, team, [make_candidate(lead) for lead in range(1, 6)], make_moment())

    assert list(owners(outcome).values()).count(ANNA) == 1


def test_who_is_at_his_cap_is_out_before_the_claims():
    team = make_team([make_member(ANNA, max_per_day=1), make_member(BORIS)])
    outcome = decide(LEDGER, team, [make_candidate(lead) for lead in range(1, 30)], make_moment())

    assert abs(outcome.ledger.books.total.get(ANNA, 0)) <= UNIT, "no turn is burnt and no debt grows at the cap"


def test_a_member_bound_to_a_channel_gets_only_that_channel():
    team = make_team([make_member(ANNA, channels=frozenset({"call"})), make_member(BORIS)])
    outcome = decide(LEDGER, team, [make_candidate(1, "site"), make_candidate(2, "call")], make_moment())

    assert owners(outcome)[1] == BORIS
    assert outcome.assignments[0].excluded == {"channel": (ANNA,)}


def test_the_duty_person_takes_what_nobody_can_take():
    everybody_off = dict.fromkeys((ANNA, BORIS, VERA), Rule.OFF_SHIFT)
    outcome = decide(LEDGER, make_team(), [make_candidate(1)], make_moment(everybody_off, duty=DUTY))

    assert owners(outcome) == {1: DUTY}
    assert outcome.assignments[0].mode is Mode.DUTY


def test_without_a_duty_person_the_lead_waits_and_the_ledger_stays():
    everybody_off = dict.fromkeys((ANNA, BORIS, VERA), Rule.OFF_SHIFT)
    outcome = decide(LEDGER, make_team(), [make_candidate(1)], make_moment(everybody_off))

    assert not outcome.assignments
    assert outcome.unassigned[0].refused == everybody_off
    assert outcome.ledger.books == LEDGER.books


leads = st.lists(
    st.tuples(
        st.sampled_from(["site", "call", "mail"]),
        st.sets(st.sampled_from([ANNA, BORIS, VERA])),
        st.sampled_from([None, ANNA, BORIS]),
    ),
    max_size=60,
)


@given(leads, st.lists(st.integers(1, 9), min_size=3, max_size=3))
def test_balances_sum_to_zero_and_a_lead_taken_back_leaves_no_trace(arrivals, weights):
    members = [make_member(user, weight=Fraction(w, 2)) for user, w in zip((ANNA, BORIS, VERA), weights, strict=True)]
    team, ledger = make_team(members), LEDGER
    for number, (channel, away, own) in enumerate(arrivals):
        before = ledger
        outcome = decide(
            ledger,
            team,
            [make_candidate(number, channel, own_managers=(own,) if own else ())],
            make_moment(dict.fromkeys(away, Rule.OFF_SHIFT)),
        )
        ledger = outcome.ledger
        assert sum(ledger.books.total.values()) == 0
        assert all(sum(book.values()) == 0 for book in ledger.books.channels.values())
        for assignment in outcome.assignments:
            assert take_back(ledger, assignment, "2026-11-23").books == before.books


@given(leads)
def test_a_batch_decides_as_the_same_leads_one_by_one(arrivals):
    candidates = [
        make_candidate(number, channel, own_managers=(own,) if own else ())
        for number, (channel, _, own) in enumerate(arrivals)
    ]
    whole = decide(LEDGER, make_team(), candidates, make_moment())
    ledger, one_by_one = LEDGER, []
    for candidate in candidates:
        outcome = decide(ledger, make_team(), [candidate], make_moment())
        ledger = outcome.ledger
        one_by_one += outcome.assignments
    assert list(whole.assignments) == one_by_one
