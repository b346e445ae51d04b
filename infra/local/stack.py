"""The whole local stack: the template with its functions, amoCRM beside it, all on ports of this machine."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from functions.activity_intake.credentials import EVENTS_CREDENTIALS
from functions.shared.adapters.amocrm.tokens import LONG_LIVED
from functions.shared.adapters.dynamodb.departments import Departments
from functions.shared.adapters.dynamodb.rule_book import RuleBookStore
from functions.shared.adapters.dynamodb.table import Table
from functions.shared.adapters.dynamodb.waiting import WaitingRoom
from functions.shared.adapters.google.config import AWAY_SCOPES, CALENDAR_SCOPES, MEET_SCOPES
from functions.shared.adapters.google.identity import SERVICE_ACCOUNT
from functions.shared.department import EXCHANGE
from functions.shared.handle_hash import IDENTITY_KEY
from infra.department.amocrm import open_client
from infra.department.apply import apply, create_users
from infra.department.file import DepartmentFile
from infra.department.webhooks import hooks_base, hooks_of
from infra.local.amocrm_simulator.app import create_app as create_amocrm
from infra.local.amocrm_simulator.courier import HookCourier
from infra.local.amocrm_simulator.world import World
from infra.local.clock import VirtualClock
from infra.local.cloud import LocalCloud
from infra.local.endpoint import create_endpoint
from infra.local.google_simulator.app import HOSTS as GOOGLE_HOSTS
from infra.local.google_simulator.app import create_app as create_google
from infra.local.google_simulator.world import GoogleWorld
from infra.local.intrinsics import Unsupported
from infra.local.network import Deliveries, Internet, Post
from infra.local.servers import Server
from infra.local.template import Template

log = logging.getLogger(__name__)

REGION = "eu-central-1"
FUNCTIONS = "conveyor"
"""Name of the integration whose token the functions use."""

SOURCE = "local"
"""Name of the source of facts whose token the first line tells."""

TEMPLATE = Path(__file__).parents[2] / "template.yaml"


@dataclass(frozen=True)
class Ports:
    """0 takes any free port."""

    gateway: int = 0
    amocrm: int = 0
    google: int = 0
    aws: int = 0


class LocalStack:
    """A context manager: inside it the stack serves.

    `start` is the virtual time to begin at, now by default; an `empty` stack has nothing in amoCRM and no department.
    `world` is the amoCRM account, `google` the firm's Google. Of the schedules only those named in `ticks` fire (none
    named: all), every so many minutes where it says so. Raises Unsupported for a template that cannot be played,
    PortTaken, and DepartmentInvalid.
    """

    def __init__(
        self,
        department: DepartmentFile,
        *,
        template: Path = TEMPLATE,
        ports: Ports = Ports(),
        empty: bool = False,
        start: datetime | None = None,
        base64_bodies: bool = False,
        ticks: Mapping[str, int | None] = MappingProxyType({}),
    ) -> None:
        self._department = department
        self._ports = ports
        self._empty = empty
        self.clock = VirtualClock(start)
        subdomain, _, domain = department.spec.amocrm.account.partition(".")
        zone = str(department.spec.timezone)
        self.world = World(self.clock, subdomain=subdomain, domain=domain, timezone=zone)
        self._amocrm = create_amocrm(self.world)
        self.google = GoogleWorld(self.clock)
        self._google_host = department.meetings.host if department.meetings else f"meet@{subdomain}.example"
        self._google = create_google(self.google)
        self._courier = HookCourier(self.world, self.clock, self._post_hook)
        self._post: Post | None = None
        base_url = f"https://{self.world.host}"
        self.cloud = LocalCloud(
            Template(template, {"AmoCrmBaseUrl": base_url, "HookToken": secrets.token_urlsafe(32)}, REGION),
            self.clock,
            REGION,
            visitors=[Deliveries(self._courier)],
            transport=Internet({self.world.host: self._amocrm, **dict.fromkeys(GOOGLE_HOSTS, self._google)}),
            base64_bodies=base64_bodies,
            ticks=ticks,
        )
        self._exits = ExitStack()
        self._outside_token = self.world.add_token("external", self.world.admin.id)
        """For whoever looks in from outside: his requests do not count against the functions' limit."""
        self._google_token = self.google.add_access_token(self._google_host, everything=True)
        self._events_token = secrets.token_urlsafe(32)

    def __enter__(self) -> Self:
        with self._exits:
            self._exits.enter_context(self.cloud)
            self.cloud.describe = self._amocrm_status
            self._gateway = self._serve("the gateway", self.cloud.app, self._ports.gateway)
            self._amocrm_server = self._serve("amoCRM", self._amocrm, self._ports.amocrm)
            self._google_server = self._serve("Google", self._google, self._ports.google)
            self._aws_server = self._serve("AWS", create_endpoint(REGION), self._ports.aws)
            self._post = Post(self._gateway.url, self.cloud.app)
            self._exits.callback(self._post.close)
            self._store_secrets()
            if not self._empty:
                self._apply_department()
            self._exits.enter_context(self.cloud.timeline)
            self._exits = self._exits.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def table(self) -> Table:
        return Table(partial(self.cloud.aws.client, "dynamodb"), self.cloud.setting("TABLE_NAME"))

    def addresses(self) -> dict[str, Any]:
        """Where everything is: the line that `conveyor local` prints first. What the template does not have is None."""
        names = ("leads", "stages", "clients", "tasks")
        hooks = {name: self._route(f"/{name}", "POST /hooks/") for name in names}
        return {
            "hooks": hooks,
            "events": self._events(),
            "kpi": self._route("/kpi", "GET /kpi"),
            "amocrm": {"url": self._amocrm_server.url, "token": self._outside_token},
            "google": {"url": self._google_server.url, "token": self._google_token},
            "aws": {"endpoint": self._aws_server.url, "table": self.cloud.setting("TABLE_NAME")},
        }

    def _serve(self, name: str, app: Any, port: int) -> Server:
        return self._exits.enter_context(Server(name, app, port))

    def _route(self, ending: str, beginning: str) -> str | None:
        keys = (route.key for route in self.cloud.template.routes)
        key = next((key for key in keys if key.startswith(beginning) and key.endswith(ending)), None)
        return None if key is None else self._gateway.url + key.partition(" ")[2]

    def _events(self) -> dict[str, str] | None:
        url = self._route("/events", "POST /v1/")
        return None if url is None else {"url": url, "token": self._events_token}

    def _post_hook(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        assert self._post is not None, "the courier delivers only while the stack runs"
        return self._post(url, body, headers)

    def _store_secrets(self) -> None:
        """amoCRM's token, one source of facts by the name of `local`, the key of the hashes, and that of Google."""
        token = self.world.add_token(FUNCTIONS, self.world.admin.id)
        known = {SOURCE: {"tokens": [self._events_token]}}
        secrets_by_name = {LONG_LIVED: token, EVENTS_CREDENTIALS: json.dumps(known), IDENTITY_KEY: "local-identity-key"}
        if self._department.meetings:
            secrets_by_name[SERVICE_ACCOUNT] = json.dumps(self._google_key())
        for name, value in secrets_by_name.items():
            self.cloud.aws.put_secret(f"{self.cloud.setting('SECRETS_PREFIX')}/{name}", value)

    def _google_key(self) -> dict[str, Any]:
        """All people of the department are users of its Google, and a service account may be any of them."""
        for email in (self._google_host, *self._department.people):
            self.google.add_user(email, timezone=str(self._department.spec.timezone))
        scopes = (*CALENDAR_SCOPES, *MEET_SCOPES, *AWAY_SCOPES)
        return self.google.add_service_account("conveyor@local.iam.gserviceaccount.com", delegated_scopes=scopes)

    def _apply_department(self) -> None:
        token = self.world.add_token("set-up", self.world.admin.id)
        client = open_client(f"https://{self.world.host}", token, self.clock, Internet({self.world.host: self._amocrm}))
        hooks = {name: self._route(f"/{name}", "POST /hooks/") for name in hooks_of(self._department)}
        if lacking := [name for name, url in hooks.items() if url is None]:
            raise Unsupported(f"the template has no route POST /hooks/… for the webhook of {' and '.join(lacking)}")
        create_users(self._department, client)
        table = self.table()
        base = hooks_base(str(hooks["leads"]))
        stores = Departments(table), WaitingRoom(table), RuleBookStore(table)
        applied = apply(self._department, client, *stores, base, self.clock.now())
        for change in applied.changes:
            log.info("%s", change)
        # A lead that names no pipeline shall come to the exchange; in a real account that choice is the firm's.
        exchange = next(pipeline for pipeline in applied.department.pipelines if pipeline.role == EXCHANGE)
        client.write("PATCH", f"leads/pipelines/{exchange.id}", {"is_main": True})

    def _amocrm_status(self) -> dict[str, Any]:
        """Requests of the functions alone: whoever watches from outside must not disturb what he counts."""
        requests = [request for request in list(self.world.requests.log) if request.token == FUNCTIONS]
        throttled = sum(request.status == 429 for request in requests)
        return {"amocrm": {"requests": len(requests), "throttled": throttled}}
