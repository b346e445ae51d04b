"""The clock: what comes at night waits for the first shift, and a night takes seconds."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.outside import running


def test_a_night_lead_waits_for_the_first_shift_of_the_morning(tmp_path: Path) -> None:
    with running(tmp_path, "--start", "2026-03-03T03:00+03:00") as stack:
        _, lead_id = stack.send_form()
        stack.settle()
        assert stack.lead(lead_id)["responsible_user_id"] == 0
        stack.advance_to(5)
        assert stack.lead(lead_id)["responsible_user_id"] == 0
        stack.advance_to(7)
        # 08:00 in Yekaterinburg, where Vera begins, is 06:00 in Moscow
        lead = stack.lead(lead_id)
        assert stack.users()[lead["responsible_user_id"]] == "vera@oknaplus.example"
        assert len(stack.tasks_of(lead_id)) == 1
        assert 3 * 3600 - 600 <= lead["updated_at"] - lead["created_at"] <= 3 * 3600 + 120
