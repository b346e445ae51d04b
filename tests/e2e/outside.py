"""A client of the local stack that knows nothing but the line it prints first."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx

ROOT = Path(__file__).parents[2]
MOSCOW = ZoneInfo("Europe/Moscow")
COMMAND = [sys.executable, "-c", "from infra.cli.main import run; run()"]
START_SECONDS = 60
_numbers = itertools.count(1)


@contextmanager
def started(logs: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """`conveyor local` on free ports, killed if it is still there in the end; its stderr goes to `logs`."""
    command = [*COMMAND, "local", "--port", "0", "--amocrm-port", "0", "--google-port", "0", *options]
    with (
        (logs / "stderr.log").open("w") as stderr,
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=stderr, text=True) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def running(logs: Path, *options: str) -> Iterator[Outside]:
    with started(logs, *options) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (logs / "stderr.log").read_text()
        with Outside(json.loads(line)) as outside:
            outside.logs = logs / "stderr.log"
            yield outside
        process.send_signal(signal.SIGTERM)
        assert process.wait(START_SECONDS) == 0


class Outside:
    """HTTP verbs for the gateway, amoCRM and the clock of one stack."""

    def __init__(self, addresses: dict[str, Any]) -> None:
        self.addresses = addresses
        self.logs = Path()
        """What the stack and its functions have logged."""
        self.hook_url: str = addresses["hooks"]["leads"]
        self.gateway = self.hook_url.partition("/hooks/")[0]
        self._http = httpx.Client(timeout=60, trust_env=False)
        token = addresses["amocrm"]["token"]
        self._amocrm = httpx.Client(
            base_url=addresses["amocrm"]["url"],
            headers={"Authorization": f"Bearer {token}"},
            timeout=10,
            trust_env=False,
        )

    def __enter__(self) -> Outside:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()
        self._amocrm.close()

    def post_hook(self, body: bytes, url: str | None = None) -> httpx.Response:
        headers = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": "amoCRM-Webhooks/3.0"}
        return self._http.post(url or self.hook_url, content=body, headers=headers)

    def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = self._http.get(f"{self.gateway}/_local/status").json()
        return answer

    def now(self) -> datetime:
        return datetime.fromisoformat(self.status()["now"]).astimezone(MOSCOW)

    def queues(self) -> dict[str, dict[str, int]]:
        """What lies in each queue: visible, in_flight, dlq."""
        counts: dict[str, dict[str, int]] = self.status()["queues"]
        return counts

    def queue(self, name: str) -> dict[str, int]:
        """One queue, by its name in the template: LeadsQueue, StagesQueue."""
        return self.queues()[f"conveyor-{name}"]

    def settle(self) -> None:
        deadline = time.monotonic() + 30
        while not self.status()["idle"]:
            assert time.monotonic() < deadline, f"the stack does not come to rest: {self.status()}"
            time.sleep(0.02)

    def advance(self, seconds: float) -> None:
        answer = self._http.post(f"{self.gateway}/_local/clock", json={"advance_seconds": seconds})
        assert answer.status_code == 200, answer.text

    def advance_to(self, hour: int, weekday: int | None = None) -> None:
        """To the next time it is this hour in Moscow, on this day of the week (0 is Monday)."""
        now = self.now()
        moment = now.replace(hour=hour, minute=0, second=0, microsecond=0)
        while moment <= now or (weekday is not None and moment.weekday() != weekday):
            moment += timedelta(days=1)
        self.advance((moment - now).total_seconds())

    def amocrm(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of an answer, None for none; waits out the outsider's own request limit."""
        while True:
            answer = self._amocrm.request(method, f"/api/v4/{path}", json=body)
            if answer.status_code != 429:
                break
            time.sleep(0.3)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def google(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """The JSON of an answer of Google, None for none: `/calendar/v3/…`, `/v2/…`, `/_sim/…`."""
        google = self.addresses["google"]
        headers = {"Authorization": f"Bearer {google['token']}"}
        url = f"{google['url']}{path}"
        answer = self._http.request(method, url, json=body, params=query, headers=headers)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def events(self, **query: Any) -> list[dict[str, Any]]:
        """What stands in the host's calendar."""
        listed = self.google("GET", "/calendar/v3/calendars/primary/events", **query)
        return list(listed["items"])

    def pipeline(self, name: str) -> dict[str, Any]:
        pipelines = self.amocrm("GET", "leads/pipelines")["_embedded"]["pipelines"]
        found: dict[str, Any] = next(pipeline for pipeline in pipelines if pipeline["name"] == name)
        return found

    def users(self) -> dict[int, str]:
        """E-mails by id."""
        users = self.amocrm("GET", "users?limit=250")["_embedded"]["users"]
        return {user["id"]: user["email"] for user in users}

    def send_form(self) -> tuple[str, int]:
        """A site form into the exchange: (uid, lead id)."""
        return self.send_forms(1)[0]

    def send_forms(self, count: int) -> list[tuple[str, int]]:
        pipeline_id, sent_at = self.pipeline("Биржа лидов")["id"], int(self.now().timestamp())
        items = [_form(pipeline_id, sent_at, next(_numbers)) for _ in range(count)]
        made = self.amocrm("POST", "leads/unsorted/forms", items)["_embedded"]["unsorted"]
        return [(item["uid"], item["_embedded"]["leads"][0]["id"]) for item in made]

    def lead(self, lead_id: int) -> dict[str, Any]:
        found: dict[str, Any] = self.amocrm("GET", f"leads/{lead_id}")
        return found

    def owners(self) -> dict[int, int]:
        """The responsible user of every lead."""
        leads = self.amocrm("GET", "leads?limit=250")["_embedded"]["leads"]
        return {lead["id"]: lead["responsible_user_id"] for lead in leads}

    def tasks_of(self, lead_id: int) -> list[dict[str, Any]]:
        found = self.amocrm("GET", f"tasks?filter[entity_type]=leads&filter[entity_id]={lead_id}")
        return found["_embedded"]["tasks"] if found else []

    def notes_of(self, lead_id: int) -> list[dict[str, Any]]:
        found = self.amocrm("GET", f"leads/{lead_id}/notes")
        return found["_embedded"]["notes"] if found else []


def _form(pipeline_id: int, sent_at: int, number: int) -> dict[str, Any]:
    """As an integration of a site posts it (amoCRM API: unsorted)."""
    return {
        "source_name": "Сайт",
        "source_uid": f"site-{number}",
        "pipeline_id": pipeline_id,
        "created_at": sent_at,
        "_embedded": {"leads": [{"name": f"Заявка {number}"}], "contacts": [{"name": f"Клиент {number}"}]},
        "metadata": {
            "form_id": "calculator",
            "form_name": "Калькулятор",
            "form_page": "https://oknaplus.example/",
            "form_sent_at": sent_at,
            "ip": "203.0.113.7",
            "referer": "https://search.example/",
        },
    }
