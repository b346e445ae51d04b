"""`conveyor explain` tells the whole story of a lead: arrival, hand-overs, turns given back, and where it waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

from functions.shared.adapters.dynamodb.table import Table
from infra.cli.main import app
from tests.builders import (
    ANNA,
    CARE_PIPELINE,
    CARE_STAGE,
    MAIN_PIPELINE,
    MAIN_STAGE,
    SPAM,
    lead_hook,
    make_three_levels,
)
from tests.desk import Desk


@pytest.fixture
def desk(dynamodb: Any, new_table: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    desk = Desk(Table(lambda: dynamodb, new_table()))
    desk.apply(make_three_levels())
    return desk


def explained(desk: Desk, lead_id: int) -> list[str]:
    result = CliRunner().invoke(
        app, ["explain", str(lead_id), "--table", desk.table._name], env={"COLUMNS": "300", "NO_COLOR": "1"}
    )
    assert result.exit_code == 0, result.output
    return [line for line in result.output.splitlines() if line.startswith(("Lead", "excluded"))]


def test_every_cause_of_a_lead_is_told_in_words(desk: Desk) -> None:
    # GIVEN a lead that the desk was given, that came to the closers, and was lost as spam
    lead = desk.amocrm.add_lead(responsible_user_id=1)
    desk.hook(lead_hook(lead.id))
    desk.clock.advance(60)
    desk.amocrm.human_reassigns(lead.id, ANNA)
    desk.amocrm.human_moves(lead.id, MAIN_STAGE, MAIN_PIPELINE)
    desk.hook(desk.routed(desk.amocrm.see(lead.id), "route#2"))
    arrival, hand_over = explained(desk, lead.id)
    assert arrival.startswith(f"Lead {lead.id}, arrival, 2026-11-23 09:00:00 UTC: channel other, team lead_desk → ")
    assert "fairly next; carried out" in arrival
    assert ", hand-over 2 (route#2) from exchange.qualified, until then with Анна, " in hand_over

    # WHEN its turns are given back
    desk.amocrm.human_moves(lead.id, 143, loss_reason_id=SPAM)
    message = desk.closed(lead.id)
    desk.pass_lease()
    assert desk.hook(message) == []

    # THEN both decisions say so
    for line in explained(desk, lead.id):
        assert "turn given back: the lead was lost for a reason in `refunds`" in line


def test_a_lead_that_waits_for_another_team_says_where_it_comes_from(desk: Desk) -> None:
    copy = desk.amocrm.add_lead(pipeline_id=CARE_PIPELINE, status_id=CARE_STAGE, responsible_user_id=ANNA)
    desk.clock.advance(12 * 3600)
    desk.hook(desk.routed(copy, "arrival", team="care", from_place="main.won"))

    (line,) = explained(desk, copy.id)

    assert line == (
        f"Lead {copy.id}, arrival as a copy from main.won, until then with Анна, waits for team care since"
        " 2026-11-23 21:00 UTC (off_shift); next look at 2026-11-24 06:00 UTC."
    )
