"""`conveyor doctor`: each thing that can be wrong with an installation, and its remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import boto3
import httpx
import pytest
from moto import mock_aws

from functions.shared.absence import Absence
from infra.department.file import load
from infra.meetings.doctor import Check
from infra.setup.doctor import Patient, examine
from infra.setup.doctor_aws import examine_stack
from tests.installation import HOOKS, TEXT, Installation, Wire, install


@dataclass
class Practice:
    """An installation that is well, until a test does something to it."""

    installation: Installation
    text: str = TEXT
    token: str = ""
    hooks: str | None = HOOKS
    clock_is_off: timedelta = timedelta()
    absences: tuple[Absence, ...] = ()
    answer: Callable[[httpx.Request], httpx.Response | None] = lambda request: None

    def checks(self) -> dict[str, Check]:
        from infra.department.amocrm import open_client

        installation = self.installation
        token = self.token or installation.world.add_token("setup", installation.world.admin.id)
        clock = installation.clock
        patient = Patient(
            file=load(self.text),
            client=open_client("https://oknaplus.amocrm.ru", token, clock, Bent(self, installation.wire())),
            departments=installation.departments,
            book=installation.books.current,
            absences=lambda team: [each for each in self.absences if each.team == team],
            crm_time=lambda: clock.now() - self.clock_is_off,
            hooks=self.hooks,
        )
        before = len(installation.world.requests.log)
        found = {check.name: check for check in examine(patient, clock)}
        asked = list(installation.world.requests.log)[before:]
        assert {request.method for request in asked} <= {"GET"}, "a doctor only looks"
        return found

    def findings(self) -> dict[str, str]:
        """What is wrong, by the name of the check."""
        return {name: check.words for name, check in self.checks().items() if check.is_right is False}


class Bent(httpx.BaseTransport):
    def __init__(self, practice: Practice, wire: Wire) -> None:
        self._practice, self._wire = practice, wire

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._practice.answer(request) or self._wire.handle_request(request)


@pytest.fixture
def practice() -> Iterator[Practice]:
    with mock_aws():
        installation = install()
        installation.apply()
        yield Practice(installation)


class TestAmoCrm:
    def test_all_is_well(self, practice: Practice) -> None:
        checks = practice.checks()
        assert {name: check.is_right for name, check in checks.items()} == dict.fromkeys(
            (
                *("amoCRM's token", "clock", "account", "people", "webhooks"),
                *("hours of lead_desk", "hours of closers", "hours of care", "department"),
            ),
            True,
        )

    def test_a_token_that_is_refused(self, practice: Practice) -> None:
        practice.token = "mistyped"
        assert practice.findings() == {
            "amoCRM's token": "amoCRM refuses the token: it is mistyped, expired or revoked",
        }

    def test_a_token_of_a_manager(self, practice: Practice) -> None:
        world = practice.installation.world
        manager = next(user for user in world.users.values() if not user.is_admin)
        practice.token = world.add_token("his", manager.id)
        assert "the token is not an administrator's" in practice.findings()["amoCRM's token"]

    def test_another_account(self, practice: Practice) -> None:
        practice.installation.world.subdomain = "dveri"
        assert "the token belongs to dveri" in practice.findings()["amocrm.account"]

    @pytest.mark.parametrize("status", [402, 403])
    def test_a_tariff_without_webhooks(self, practice: Practice, status: int) -> None:
        def answer(request: httpx.Request) -> httpx.Response | None:
            is_hooks = request.url.path.endswith("/webhooks")
            return httpx.Response(status, json={"title": "no", "status": status}) if is_hooks else None

        practice.answer = answer
        assert practice.findings() == {
            "webhooks": "the account's tariff has no webhooks: amoCRM has them from «Расширенный» on, Kommo from"
            " Advanced; change it (Settings, Billing) and repeat this"
        }

    @pytest.mark.parametrize(("off", "words"), [(120, "120 s ahead of amoCRM's"), (-3600, "3600 s behind amoCRM's")])
    def test_a_clock_that_is_wrong(self, practice: Practice, off: int, words: str) -> None:
        practice.clock_is_off = timedelta(seconds=off)
        assert words in practice.findings()["clock"]

    def test_a_webhook_that_is_gone_and_one_that_is_off(self, practice: Practice) -> None:
        hooks = practice.installation.world.webhooks
        first, second, _ = list(hooks.values())
        del hooks[first.id]
        hooks[second.id] = replace(second, disabled=True)
        assert practice.findings() == {
            "webhook /leads": "is not there: `conveyor apply` makes it anew",
            "webhook /stages": "amoCRM has switched it off: `conveyor apply` makes it anew",
        }

    def test_no_address_of_the_hooks_is_no_fault(self, practice: Practice) -> None:
        practice.hooks = None
        checks = practice.checks()
        assert checks["webhooks"].is_right is None
        assert practice.findings() == {}

    def test_people_who_are_off_or_have_no_rights_or_are_unknown(self, practice: Practice) -> None:
        users = practice.installation.world.users
        anna = next(user for user in users.values() if user.email == "anna@oknaplus.example")
        users[anna.id] = replace(anna, is_active=False)
        assert practice.findings() == {
            "people": "anna@oknaplus.example is switched off in amoCRM: switch on (Settings, Users)"
        }
        users[anna.id] = replace(anna, rights={**anna.rights, "leads": {"edit": "D"}})
        assert practice.findings() == {
            "people": "anna@oknaplus.example may not edit leads: the role in amoCRM must allow it"
        }
        del users[anna.id]
        assert "'anna@oknaplus.example' is no user of oknaplus" in practice.findings()["users"]


class TestTheDepartment:
    def test_none_is_in_force(self) -> None:
        with mock_aws():
            findings = Practice(install()).findings()
        assert findings["department"] == "none is in force: `conveyor apply`"

    def test_a_file_that_was_edited_since(self, practice: Practice) -> None:
        practice.text = TEXT.replace("max_open: 40", "max_open: 50")
        assert practice.findings() == {
            "department": "the file and what is in force differ in 2 lines: `conveyor plan --against` tells them,"
            " `conveyor apply` makes them equal"
        }

    def everybody(self, practice: Practice, days: float) -> tuple[Absence, ...]:
        now: datetime = practice.installation.clock.now()
        team = practice.installation.departments.current().teams[1]
        return tuple(Absence(team.name, member.user_id, now, now + timedelta(days=days)) for member in team.members)

    def test_a_team_that_is_away_for_the_whole_week(self, practice: Practice) -> None:
        practice.absences = self.everybody(practice, 8)
        assert "nobody is on shift within 7 days" in practice.findings()["hours of closers"]

    def test_a_team_that_comes_back_within_it(self, practice: Practice) -> None:
        practice.absences = self.everybody(practice, 3)
        assert practice.findings() == {}

    def test_a_duty_takes_the_edge_off(self, practice: Practice) -> None:
        text = TEXT.replace("  closers:", "  closers:\n    duty: head@oknaplus.example", 1)
        practice.installation.world.add_user("Глава", "head@oknaplus.example")
        practice.installation.apply(text=text)
        practice.text, practice.absences = text, self.everybody(practice, 8)
        assert practice.checks()["hours of closers"].is_right is None

    def test_a_team_that_is_paused(self, practice: Practice) -> None:
        installation = practice.installation
        department = installation.departments.current()
        first, *others = department.teams
        paused = replace(first, members=tuple(replace(member, paused=True) for member in first.members))
        installation.departments.store(replace(department, teams=(paused, *others)))
        assert practice.findings()["hours of lead_desk"].startswith("everybody is paused")


class Stack:
    """Queues, alarms and a topic as the template has them."""

    def __init__(self) -> None:
        sqs, sns = boto3.client("sqs"), boto3.client("sns")
        names = ("LeadsQueueUrl", "LeadsDeadLettersUrl", "MeetDeadLettersUrl")
        self.outputs = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in names}
        self.outputs["AlarmTopicArn"] = sns.create_topic(Name="alarms")["TopicArn"]
        self.alarm("conveyor-prod-leads-late")
        self.alarm("conveyor-test-leads-late", "ALARM")

    def alarm(self, name: str, state: str = "OK") -> None:
        cloudwatch = boto3.client("cloudwatch")
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            AlarmDescription="The oldest lead waits.\n  First step: read the logs.",
            ComparisonOperator="GreaterThanThreshold",
            EvaluationPeriods=1,
            MetricName="m",
            Namespace="n",
            Period=60,
            Statistic="Maximum",
            Threshold=0,
        )
        cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="test")

    def close(self) -> None:
        """Where another mock of AWS goes on around this one, what was made would stay."""
        for name, url in self.outputs.items():
            if name.endswith("Url"):
                boto3.client("sqs").delete_queue(QueueUrl=url.removesuffix("-gone"))
        boto3.client("cloudwatch").delete_alarms(AlarmNames=["conveyor-prod-leads-late", "conveyor-test-leads-late"])
        boto3.client("sns").delete_topic(TopicArn=self.outputs["AlarmTopicArn"])

    def send(self, output: str) -> None:
        boto3.client("sqs").send_message(QueueUrl=self.outputs[output], MessageBody="x")

    def checks(self) -> dict[str, Check]:
        return {check.name: check for check in examine_stack(self.outputs, "prod", boto3.client)}


@pytest.fixture
def stack() -> Iterator[Stack]:
    with mock_aws():
        stack = Stack()
        yield stack
        stack.close()


class TestTheStack:
    def test_all_is_well_but_nobody_hears_of_alarms(self, stack: Stack) -> None:
        assert {name: (check.is_right, check.words) for name, check in stack.checks().items()} == {
            "queues": (True, "3 queues and dead letters are empty"),
            "alarms": (True, "none of 1 fires"),
            "alarm mail": (None, "nobody is told of alarms: deploy with AlarmEmail=<address>, or subscribe"),
        }

    def test_dead_letters_are_a_finding_and_a_queue_is_only_told(self, stack: Stack) -> None:
        stack.send("MeetDeadLettersUrl")
        stack.send("LeadsQueueUrl")
        checks = stack.checks()
        assert checks["dead letters of Meet"].is_right is False
        assert "1 lie there: read their attribute `reason`" in checks["dead letters of Meet"].words
        assert checks["queue of Leads"].is_right is None
        assert "queues" not in checks

    def test_an_alarm_that_fires_tells_its_first_step(self, stack: Stack) -> None:
        stack.alarm("conveyor-prod-leads-late", "ALARM")
        check = stack.checks()["alarm conveyor-prod-leads-late"]
        assert (check.is_right, check.words) == (False, "The oldest lead waits. First step: read the logs.")

    def test_a_stack_without_alarms(self, stack: Stack) -> None:
        boto3.client("cloudwatch").delete_alarms(AlarmNames=["conveyor-prod-leads-late"])
        assert stack.checks()["alarms"].is_right is False

    def test_a_mail_that_was_confirmed(self, stack: Stack) -> None:
        topic = stack.outputs["AlarmTopicArn"]
        boto3.client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint="it@oknaplus.example")
        assert stack.checks()["alarm mail"].is_right is True

    def test_what_cannot_be_asked_is_said(self, stack: Stack) -> None:
        stack.outputs["LeadsQueueUrl"] += "-gone"
        check = stack.checks()["queues"]
        assert check.is_right is False and "cannot be asked (" in check.words
        assert "alarms" in stack.checks()
