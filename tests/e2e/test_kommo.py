"""A firm that has its account at Kommo, as amoCRM is called abroad."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.outside import ROOT, running

WON = 142


def test_links_in_notes_and_fields_lead_to_the_department_s_own_account(tmp_path: Path) -> None:
    example = (ROOT / "department.example.yaml").read_text(encoding="utf-8")
    department = tmp_path / "department.yaml"
    department.write_text(example.replace("oknaplus.amocrm.ru", "oknaplus.kommo.com"), encoding="utf-8")
    with running(tmp_path, "--department", str(department), "--start", "2026-03-02T11:30+03:00") as stack:
        _, lead_id = stack.send_form()
        stack.settle()
        stack.amocrm("PATCH", f"leads/{lead_id}", {"status_id": WON})
        stack.settle()
        texts = [note["params"]["text"] for note in stack.notes_of(lead_id) if note["note_type"] == "common"]
        copy_id = max(stack.owners())
        assert copy_id > lead_id
        assert any(f"https://oknaplus.kommo.com/leads/detail/{copy_id}" in text for text in texts), texts
        assert f"https://oknaplus.kommo.com/leads/detail/{lead_id}" in str(stack.lead(copy_id))
        assert "amocrm.ru" not in str(texts)
