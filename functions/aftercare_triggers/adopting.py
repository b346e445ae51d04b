"""What was begun and never answered: its mark is looked for before anything is written again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from functions.aftercare_triggers.outbox import Looked, one_client
from functions.aftercare_triggers.places import Place
from functions.aftercare_triggers.sight import Sight
from functions.aftercare_triggers.writing import TaskWriter
from functions.shared.limits import CLOCKS_APART
from functions.shared.ports import AmoCrm
from functions.shared.telemetry import Telemetry


class Adopting:
    def __init__(self, amocrm: AmoCrm, writer: TaskWriter, telemetry: Telemetry) -> None:
        self._amocrm = amocrm
        self._writer = writer
        self._telemetry = telemetry

    def adopt(self, sight: Sight, looked: Sequence[Looked], places: Mapping[int, Place]) -> list[Looked]:
        """Those that are still to be sent; the others' tasks were found, completed ones included, and are taken on.
        Raises RetryLater, AmoCrmError."""
        begun = [each for each in looked if each.episode.marker and each.client.id in places]
        if not begun:
            return list(looked)
        leads = {lead_id for each in begun for lead_id in (*places[each.client.id].leads, each.client.lead_id)} - {0}
        since = min(each.episode.decided_at for each in begun) - CLOCKS_APART
        there = self._amocrm.client_tasks_since([each.client.id for each in begun], sorted(leads), since)
        adopted = set()
        for each in begun:
            task = next((task for task in there if each.episode.marker in task.text), None)
            if task is not None:
                with one_client(self._telemetry, each.client.id):
                    self._writer.opened(sight, each.episode, task)
                adopted.add((each.client.id, each.episode.key))
        return [each for each in looked if (each.client.id, each.episode.key) not in adopted]
