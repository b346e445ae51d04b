"""AWS in this process: moto, in virtual time, with the tables, queues, buses and rules of the template."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import cache, wraps
from typing import Any, Self
from unittest.mock import patch

from infra.local.bus import delivering_to
from infra.local.clock import VirtualClock
from infra.local.intrinsics import ACCOUNT, Unsupported
from infra.local.patterns import check_pattern
from infra.local.queries import cheap_queries
from infra.local.queues import LocalQueue, SqsRefused, check_message
from infra.local.template import Resource, Template
from infra.local.transactions import cheap_transactions

_TABLE_PROPERTIES = (
    "TableName",
    "AttributeDefinitions",
    "KeySchema",
    "BillingMode",
    "ProvisionedThroughput",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
)
_INDEX_PROPERTIES = ("IndexName", "KeySchema", "Projection", "ProvisionedThroughput")


class LocalAws:
    """A context manager: inside it boto3 talks to moto, and everything the template stores in exists. What it made is
    gone after it, also where somebody else's mock of AWS goes on."""

    def __init__(self, template: Template, clock: VirtualClock, region: str) -> None:
        self._template = template
        self._clock = clock
        self._region = region
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._exits = ExitStack()
        self.queues: dict[str, LocalQueue] = {}
        self.tables: list[str] = []

    def __enter__(self) -> Self:
        from moto import mock_aws

        with self._exits:
            self._exits.enter_context(mock_aws())
            _mend_moto(self._exits, self._clock)
            self._exits.enter_context(delivering_to(self.queues))
            self._create_all()
            self._exits = self._exits.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def client(self, service: str) -> Any:
        """The boto3 client of a service, built once: building takes 30 times as long as a call."""
        with self._lock:  # building clients is not thread-safe in boto3, using them is
            if service not in self._clients:
                self._clients[service] = _session(self._region).client(service, config=_own_endpoints())
            return self._clients[service]

    def put_secret(self, name: str, value: str) -> None:
        self.client("ssm").put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)

    def _create_all(self) -> None:
        kinds: list[tuple[str, Callable[[Resource], None]]] = [
            ("AWS::DynamoDB::Table", self._create_table),
            ("AWS::SQS::Queue", self._create_queue),
            ("AWS::SQS::Queue", self._set_redrive),  # a queue may be declared before its dead-letter queue
            ("AWS::Events::EventBus", self._create_bus),
            ("AWS::Events::Rule", self._create_rule),
            ("AWS::SSM::Parameter", self._create_parameter),
        ]
        for kind, create in kinds:
            for resource in self._template.resources(kind):
                create(resource)

    def _create_table(self, resource: Resource) -> None:
        properties = {key: resource.properties[key] for key in _TABLE_PROPERTIES if key in resource.properties}
        properties["TableName"] = self._template.name(resource)
        for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
            if kind in properties:
                properties[kind] = [
                    {key: index[key] for key in _INDEX_PROPERTIES if key in index} for index in properties[kind]
                ]
        dynamodb, name = self.client("dynamodb"), properties["TableName"]
        dynamodb.create_table(**properties)
        self._exits.callback(dynamodb.delete_table, TableName=name)
        self.tables.append(name)

    def _create_queue(self, resource: Resource) -> None:
        from moto.sqs.models import sqs_backends

        name = self._template.name(resource)
        attributes = {key: _attribute(resource.properties[key]) for key in _QUEUE_ATTRIBUTES & set(resource.properties)}
        sqs = self.client("sqs")
        url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        self._exits.callback(sqs.delete_queue, QueueUrl=url)
        self.queues[name] = LocalQueue(sqs_backends[ACCOUNT][self._region], name)

    def _set_redrive(self, resource: Resource) -> None:
        if "RedrivePolicy" in resource.properties:
            client, name = self.client("sqs"), self._template.name(resource)
            url = client.get_queue_url(QueueName=name)["QueueUrl"]
            policy = json.dumps(resource.properties["RedrivePolicy"])
            client.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": policy})

    def _create_bus(self, resource: Resource) -> None:
        events, name = self.client("events"), self._template.name(resource)
        events.create_event_bus(Name=name)
        self._exits.callback(events.delete_event_bus, Name=name)

    def _create_rule(self, resource: Resource) -> None:
        properties, name = resource.properties, self._template.name(resource)
        if "EventPattern" not in properties:
            raise Unsupported(f"{resource.logical_id}: schedules belong in AWS::Scheduler::Schedule")
        check_pattern(properties["EventPattern"], resource.logical_id)
        for target in properties["Targets"]:
            self._check_target(resource.logical_id, target)
        bus = properties.get("EventBusName", "default")
        events = self.client("events")
        state = properties.get("State", "ENABLED")
        events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(properties["EventPattern"]), State=state)
        targets = [{"Id": target["Id"], "Arn": target["Arn"]} for target in properties["Targets"]]
        events.put_targets(Rule=name, EventBusName=bus, Targets=targets)
        self._exits.callback(events.delete_rule, Name=name, EventBusName=bus)
        self._exits.callback(
            events.remove_targets, Rule=name, EventBusName=bus, Ids=[target["Id"] for target in targets]
        )

    def _check_target(self, rule: str, target: Mapping[str, Any]) -> None:
        arn = target["Arn"]
        if not arn.startswith("arn:aws:sqs:") or arn.rsplit(":", 1)[-1] not in self.queues:
            raise Unsupported(
                f"{rule}: target {arn} is no queue of the template; every function has a queue as its door"
            )
        if {"Input", "InputPath", "InputTransformer"} & set(target):
            raise Unsupported(f"{rule}: input transformers are not played")

    def _create_parameter(self, resource: Resource) -> None:
        properties = resource.properties
        name = properties.get("Name", self._template.name(resource))
        self.client("ssm").put_parameter(Name=name, Value=properties["Value"], Type=properties["Type"], Overwrite=True)


@cache
def _session(region: str) -> Any:
    """One per process: it reads the descriptions of the services, which takes longer than all else here."""
    from boto3.session import Session

    return Session(region_name=region)


def _own_endpoints() -> Any:
    """AWS_ENDPOINT_URL is for other processes: it may point at another stack."""
    from botocore.config import Config

    return Config(ignore_configured_endpoint_urls=True)


_QUEUE_ATTRIBUTES = frozenset(
    {
        "DelaySeconds",
        "FifoQueue",
        "MaximumMessageSize",
        "MessageRetentionPeriod",
        "ReceiveMessageWaitTimeSeconds",
        "SqsManagedSseEnabled",
        "VisibilityTimeout",
    }
)


def _attribute(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _mend_moto(exits: ExitStack, clock: VirtualClock) -> None:
    """Virtual time, SQS's own checks, no lost messages between threads, and a receive that does not grow with the
    square of the queue."""
    from moto.dynamodb.responses import DynamoHandler
    from moto.sqs.exceptions import InvalidParameterValue
    from moto.sqs.models import Queue, SQSBackend

    for module in ("moto.sqs.models", "moto.events.models"):
        exits.enter_context(patch(f"{module}.unix_time", clock.timestamp))
        exits.enter_context(patch(f"{module}.unix_time_millis", lambda: clock.timestamp() * 1000))

    send_message, delete_message = SQSBackend.send_message, Queue.delete_message
    call_action = DynamoHandler.call_action
    table_lock = threading.RLock()
    exits.enter_context(cheap_transactions())
    exits.enter_context(cheap_queries())

    @wraps(send_message)
    def strict_send(self: Any, queue_name: str, message_body: str, *args: Any, **kwargs: Any) -> Any:
        attributes = kwargs.get("message_attributes") or (args[0] if args else None) or {}
        try:
            check_message(message_body, attributes)
        except SqsRefused as refused:
            raise InvalidParameterValue(refused.message) from refused
        return send_message(self, queue_name, message_body, *args, **kwargs)

    @wraps(delete_message)
    def locked_delete(self: Any, receipt_handle: str) -> None:
        with self._messages_lock:  # moto replaces the list and would lose what another thread appends meanwhile
            delete_message(self, receipt_handle)

    @wraps(call_action)
    def locked_action(self: Any) -> Any:
        with table_lock:  # a query of one thread must not see the write of another halfway
            return call_action(self)

    def is_kept(self: Any, queue_name: str, message: Any) -> bool:
        kept_seconds = float(self.get_queue(queue_name).message_retention_period)
        return bool(message.sent_timestamp / 1000 + kept_seconds > clock.timestamp())

    exits.enter_context(patch.object(SQSBackend, "send_message", strict_send))
    exits.enter_context(patch.object(SQSBackend, "is_message_valid_based_on_retention_period", is_kept))
    exits.enter_context(patch.object(Queue, "delete_message", locked_delete))
    exits.enter_context(patch.object(DynamoHandler, "call_action", locked_action))
