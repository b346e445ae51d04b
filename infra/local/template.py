"""Read the deployed template: expand it as SAM does and find what is wired to what.

Nothing here knows a resource of Conveyor by name. What the local stack cannot play stops it with a message that names
the resource, because a part that silently does nothing would make a forgotten rule look like a working one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from infra.local import sam
from infra.local.intrinsics import Resolver, Unsupported

_PLAYED = frozenset(
    {
        "AWS::ApiGatewayV2::Api",
        "AWS::ApiGatewayV2::Integration",
        "AWS::ApiGatewayV2::Route",
        "AWS::ApiGatewayV2::Stage",
        "AWS::DynamoDB::Table",
        "AWS::Events::EventBus",
        "AWS::Events::Rule",
        "AWS::Lambda::Alias",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::Function",
        "AWS::SQS::Queue",
        "AWS::SSM::Parameter",
        "AWS::Scheduler::Schedule",
    }
)
_WITHOUT_EFFECT_HERE = (
    "AWS::CloudFormation::",  # nested stacks hold alarms and dashboards
    "AWS::CloudWatch::",
    "AWS::CodeDeploy::",
    "AWS::Events::Archive",
    "AWS::IAM::",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::LayerVersion",
    "AWS::Lambda::Permission",
    "AWS::Lambda::Version",
    "AWS::Logs::",
    "AWS::SNS::",
    "AWS::SQS::QueuePolicy",
    "AWS::Scheduler::ScheduleGroup",
)


@dataclass(frozen=True)
class Resource:
    """One resource with all its properties resolved."""

    logical_id: str
    type: str
    properties: Mapping[str, Any]


@dataclass(frozen=True)
class Function:
    """A Lambda function. `code_root` is the folder from which `handler` is imported, `timeout` in seconds."""

    name: str
    handler: str
    code_root: Path
    timeout: int
    memory: int
    environment: Mapping[str, str]


@dataclass(frozen=True)
class QueueSource:
    """An event source mapping: this queue is read for that function; `window` in seconds."""

    queue: str
    function: str
    batch_size: int
    window: int
    reports_item_failures: bool


@dataclass(frozen=True)
class Integration:
    """What stands behind a route: an SQS-SendMessage with its RequestParameters, or a function."""

    queue_parameters: Mapping[str, str] | None = None
    function: str | None = None


@dataclass(frozen=True)
class Route:
    """`key` as in the template: `POST /hooks/…`; `prefix` is the stage in the path, empty for $default."""

    key: str
    prefix: str
    integration: Integration


@dataclass(frozen=True)
class ScheduleSpec:
    """`expression` is rate(), cron() or at() in `timezone`; `input` goes to `queue`."""

    name: str
    arn: str
    expression: str
    timezone: str
    queue: str
    input: str | None


class Template:
    """The template of one stack, expanded and resolved.

    Raises Unsupported for what cannot be played. `path` is the SAM template, `parameters` the deployment's values.
    """

    def __init__(self, path: Path, parameters: Mapping[str, str], region: str, stack: str = "conveyor") -> None:
        source = sam.load(path)
        self._code = sam.code_roots(source, path.resolve().parent)
        expanded = sam.expand(source, parameters, region)
        self._resolver = Resolver(expanded, parameters, region, stack)
        self._expanded: Mapping[str, Any] = expanded["Resources"]
        for logical_id, resource in self._expanded.items():
            if resource["Type"] not in _PLAYED and not resource["Type"].startswith(_WITHOUT_EFFECT_HERE):
                raise Unsupported(f"{logical_id}: {resource['Type']} is not played by the local stack")

    def resources(self, kind: str) -> Iterator[Resource]:
        """All resources of a type whose condition holds."""
        for logical_id, resource in self._expanded.items():
            condition = resource.get("Condition")
            if resource["Type"] == kind and (condition is None or self._resolver.condition(condition)):
                properties = self._resolver.resolve(resource.get("Properties", {}))
                yield Resource(logical_id, kind, properties)

    def name(self, resource: Resource) -> str:
        return self._resolver.name(resource.logical_id)

    @cached_property
    def functions(self) -> Mapping[str, Function]:
        """Functions by name."""
        found = {}
        for resource in self.resources("AWS::Lambda::Function"):
            properties, name = resource.properties, self.name(resource)
            variables = properties.get("Environment", {}).get("Variables", {})
            found[name] = Function(
                name=name,
                handler=properties["Handler"],
                code_root=self._code[resource.logical_id],
                timeout=int(properties.get("Timeout", 3)),
                memory=int(properties.get("MemorySize", 128)),
                environment={key: str(value) for key, value in variables.items()},
            )
        return found

    @cached_property
    def queue_sources(self) -> tuple[QueueSource, ...]:
        return tuple(map(self._queue_source, self.resources("AWS::Lambda::EventSourceMapping")))

    @cached_property
    def routes(self) -> tuple[Route, ...]:
        """All routes of all HTTP APIs, from Route resources and from the API's own OpenAPI body."""
        prefixes = {
            stage.properties["ApiId"]: ""
            if stage.properties["StageName"] == "$default"
            else stage.properties["StageName"]
            for stage in self.resources("AWS::ApiGatewayV2::Stage")
        }
        routes = (*self._declared_routes(prefixes), *self._body_routes(prefixes))
        keys = [(route.prefix, route.key) for route in routes]
        for prefix, key in keys:
            if keys.count((prefix, key)) > 1:
                raise Unsupported(f"two routes have the key {key!r}: the local gateway serves all APIs on one port")
        return routes

    @cached_property
    def schedules(self) -> tuple[ScheduleSpec, ...]:
        schedules = self.resources("AWS::Scheduler::Schedule")
        return tuple(self._schedule(s) for s in schedules if s.properties.get("State", "ENABLED") == "ENABLED")

    def _queue_source(self, mapping: Resource) -> QueueSource:
        properties = mapping.properties
        if not _is_queue(properties["EventSourceArn"]):
            raise Unsupported(f"{mapping.logical_id}: only queues are event sources here")
        if "FilterCriteria" in properties:
            raise Unsupported(f"{mapping.logical_id}: FilterCriteria are not played")
        return QueueSource(
            queue=_last(properties["EventSourceArn"]),
            function=self._function_named(properties["FunctionName"]),
            batch_size=int(properties.get("BatchSize", 10)),
            window=int(properties.get("MaximumBatchingWindowInSeconds", 0)),
            reports_item_failures="ReportBatchItemFailures" in properties.get("FunctionResponseTypes", ()),
        )

    def _declared_routes(self, prefixes: Mapping[str, str]) -> Iterator[Route]:
        integrations = {self.name(item): item for item in self.resources("AWS::ApiGatewayV2::Integration")}
        for route in self.resources("AWS::ApiGatewayV2::Route"):
            properties = route.properties
            _refuse_authorizers(route.logical_id, properties.get("AuthorizationType", "NONE") != "NONE")
            target = properties.get("Target", "").removeprefix("integrations/")
            if target not in integrations:
                raise Unsupported(f"{route.logical_id}: Target {properties.get('Target')!r} is no integration")
            api = integrations[target].properties
            integration = self._integration(
                target,
                api.get("IntegrationSubtype"),
                api.get("RequestParameters", {}),
                api.get("IntegrationUri", ""),
                api.get("PayloadFormatVersion"),
            )
            yield Route(properties["RouteKey"], prefixes.get(properties["ApiId"], ""), integration)

    def _body_routes(self, prefixes: Mapping[str, str]) -> Iterator[Route]:
        for api in self.resources("AWS::ApiGatewayV2::Api"):
            for path, methods in api.properties.get("Body", {}).get("paths", {}).items():
                for method, operation in methods.items():
                    _refuse_authorizers(f"{method} {path}", bool(operation.get("security")))
                    spec = operation["x-amazon-apigateway-integration"]
                    integration = self._integration(
                        f"{method} {path}",
                        spec.get("integrationSubtype"),
                        spec.get("requestParameters", {}),
                        spec.get("uri", ""),
                        spec.get("payloadFormatVersion"),
                    )
                    verb = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
                    key = "$default" if path == "/$default" else f"{verb} {path}"
                    yield Route(key, prefixes.get(self.name(api), ""), integration)

    def _integration(
        self, where: str, subtype: str | None, parameters: Mapping[str, str], uri: str, payload_format: str | None
    ) -> Integration:
        if subtype == "SQS-SendMessage":
            return Integration(queue_parameters=parameters)
        if subtype is None and ":function:" in uri and payload_format == "2.0":
            return Integration(function=self._function_named(uri))
        what = f"{subtype or uri or '(none)'} with payload format {payload_format}"
        raise Unsupported(f"{where}: integration {what} is not served by the local gateway")

    def _schedule(self, schedule: Resource) -> ScheduleSpec:
        properties, name = schedule.properties, schedule.properties.get("Name") or self.name(schedule)
        target = properties["Target"]
        if not _is_queue(target["Arn"]):
            raise Unsupported(f"{schedule.logical_id}: a schedule's target must be a queue, not {target['Arn']}")
        return ScheduleSpec(
            name=name,
            arn=f"arn:aws:scheduler:::schedule/{properties.get('GroupName', 'default')}/{name}",
            expression=properties["ScheduleExpression"],
            timezone=properties.get("ScheduleExpressionTimezone", "UTC"),
            queue=_last(target["Arn"]),
            input=target.get("Input"),
        )

    def _function_named(self, reference: str) -> str:
        """The function that a name, an ARN, an alias or an API Gateway URI means."""
        name = re.split("[:/]", reference.rpartition(":function:")[2])[0]
        if name not in self.functions:
            raise Unsupported(f"{reference} is no function of the template")
        return name


def _refuse_authorizers(where: str, has_authorizer: bool) -> None:
    if has_authorizer:
        raise Unsupported(f"{where}: authorizers are not played, the route would be open here and closed on AWS")


def _is_queue(arn: str) -> bool:
    return arn.startswith("arn:aws:sqs:")


def _last(arn: str) -> str:
    return arn.rsplit(":", 1)[-1]
