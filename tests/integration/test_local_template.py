"""The local stack reads the wiring from the template, and refuses what it cannot play."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.local.intrinsics import Resolver, Unsupported
from infra.local.template import Template
from tests.integration.local_support import REGION, TOKEN, write_template


def read(path: Path, **parameters: str) -> Template:
    return Template(path, {"HookToken": TOKEN, **parameters}, REGION)


def test_the_wiring_is_found_by_following_references(tmp_path: Path) -> None:
    template = read(write_template(tmp_path))
    [source] = template.queue_sources
    assert (source.queue, source.function) == ("conveyor-Door", "conveyor-Work")
    assert (source.batch_size, source.window, source.reports_item_failures) == (5, 2, True)
    [schedule] = template.schedules
    assert (schedule.expression, schedule.queue) == ("rate(5 minutes)", "conveyor-Door")
    routes = {route.key: route.integration for route in template.routes}
    assert set(routes) == {f"POST /hooks/{TOKEN}/leads", "GET /pages/{name}"}
    assert routes["GET /pages/{name}"].function == "conveyor-Page"
    queue_parameters = routes[f"POST /hooks/{TOKEN}/leads"].queue_parameters
    assert queue_parameters is not None
    assert queue_parameters["QueueUrl"].endswith("/123456789012/conveyor-Door")
    assert "${context.requestId}" in queue_parameters["MessageAttributes"]


def test_the_environment_of_a_function_is_resolved_with_the_globals(tmp_path: Path) -> None:
    work = read(write_template(tmp_path), Stage="blue").functions["conveyor-Work"]
    assert work.environment["TABLE_NAME"] == "conveyor-Table"
    assert work.environment["BUS_NAME"] == "blue-bus"
    assert work.environment["QUEUE_URL"] == "https://sqs.eu-central-1.amazonaws.com/123456789012/conveyor-Door"
    assert work.code_root == tmp_path / "code"
    assert work.timeout == 10


def test_with_parent_package_mode_handlers_are_imported_from_the_folder_of_the_template(tmp_path: Path) -> None:
    metadata = "Type: AWS::Serverless::Function\n    Metadata: {BuildProperties: {ParentPackageMode: auto}}"
    template = read(write_template(tmp_path, ("Type: AWS::Serverless::Function", metadata)))
    assert template.functions["conveyor-Work"].code_root == tmp_path


@pytest.mark.parametrize(("stage", "exists"), [("test", False), ("prod", True)])
def test_a_resource_exists_only_if_its_condition_holds(tmp_path: Path, stage: str, exists: bool) -> None:
    queues = [queue.logical_id for queue in read(write_template(tmp_path), Stage=stage).resources("AWS::SQS::Queue")]
    assert ("OnlyInProduction" in queues) == exists


def test_routes_in_the_body_of_an_api_are_found_too(tmp_path: Path) -> None:
    events = 'Events: {Inline: {Type: HttpApi, Properties: {Path: "/inline/{id}", Method: get}}}'
    template = read(write_template(tmp_path, ("Timeout: 29}", f"Timeout: 29, {events}}}")))
    assert ("GET /inline/{id}", "conveyor-Page") in {(r.key, r.integration.function) for r in template.routes}


def test_a_disabled_schedule_does_not_exist(tmp_path: Path) -> None:
    change = ("ScheduleExpression: rate(5 minutes)", "ScheduleExpression: rate(5 minutes)\n      State: DISABLED")
    assert read(write_template(tmp_path, change)).schedules == ()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("Type: AWS::Events::EventBus", "Type: AWS::Pipes::Pipe", "Bus: AWS::Pipes::Pipe is not played"),
        ("Queue: !GetAtt Door.Arn", "Queue: !GetAtt Table.Arn", "only queues are event sources"),
        ("BatchSize: 5", "BatchSize: 5\n            FilterCriteria: {Filters: []}", "FilterCriteria"),
        ("        Arn: !GetAtt Door.Arn", "        Arn: !GetAtt Work.Arn", "Tick: a schedule's target must be a queue"),
        ("IntegrationSubtype: SQS-SendMessage", "IntegrationSubtype: SQS-PurgeQueue", "SQS-PurgeQueue"),
        ('PayloadFormatVersion: "2.0"', 'PayloadFormatVersion: "1.0"', "payload format 1.0"),
        ("!Ref HookIntegration", "!Ref Api", "Target 'integrations/conveyor-Api' is no integration"),
        ("QueueUrl: !Ref Door", "QueueUrl: !Ref Floor", "Floor is neither a parameter nor a resource"),
        ('RouteKey: "GET /pages/{name}"', 'RouteKey: "GET /"\n      AuthorizationType: JWT', "authorizers"),
    ],
)
def test_what_cannot_be_played_is_refused_by_name(tmp_path: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(Unsupported, match=told):
        template = read(write_template(tmp_path, (old, new)))
        _ = template.routes, template.queue_sources, template.schedules


def test_a_missing_or_unknown_parameter_is_named(tmp_path: Path) -> None:
    path = write_template(tmp_path)
    with pytest.raises(Unsupported, match="HookToken"):
        Template(path, {}, REGION)
    with pytest.raises(Unsupported, match="no parameter Tocken"):
        read(path, Tocken="x")


def test_functions_of_cloudformation_are_resolved() -> None:
    template = {
        "Parameters": {"Zones": {"Type": "CommaDelimitedList", "Default": "a,b"}, "Name": {"Type": "String"}},
        "Mappings": {"Sizes": {"test": {"Memory": 512}}},
        "Conditions": {
            "IsTest": {"Fn::Equals": [{"Ref": "Name"}, "test"]},
            "IsOther": {"Fn::Not": [{"Condition": "IsTest"}]},
            "Both": {"Fn::And": [{"Condition": "IsTest"}, {"Condition": "IsOther"}]},
            "Either": {"Fn::Or": [{"Condition": "IsTest"}, {"Condition": "IsOther"}]},
        },
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::Sub": "q-${Name}"}}}},
    }
    resolver = Resolver(template, {"Name": "test"}, REGION, "conveyor")
    cases = [
        ({"Fn::Sub": ["${x}-${AWS::Region}-${!kept}", {"x": {"Ref": "Name"}}]}, "test-eu-central-1-${kept}"),
        ({"Fn::Join": [":", ["a", {"Ref": "AWS::AccountId"}]]}, "a:123456789012"),
        ({"Fn::Select": ["1", {"Ref": "Zones"}]}, "b"),
        ({"Fn::Select": [0, {"Fn::Split": ["-", "x-y"]}]}, "x"),
        ({"Fn::If": ["IsOther", 1, 2]}, 2),
        ({"Fn::If": ["Both", 1, {"Fn::If": ["Either", 3, 4]}]}, 3),
        ({"Fn::FindInMap": ["Sizes", {"Ref": "Name"}, "Memory"]}, 512),
        ({"Fn::GetAtt": ["Queue", "Arn"]}, "arn:aws:sqs:eu-central-1:123456789012:q-test"),
        ({"Fn::GetAtt": "Queue.QueueName"}, "q-test"),
        ({"kept": 1, "dropped": {"Ref": "AWS::NoValue"}}, {"kept": 1}),
        ([1, {"Ref": "AWS::NoValue"}], [1]),
    ]
    for value, expected in cases:
        assert resolver.resolve(value) == expected
    for value in ({"Fn::ImportValue": "x"}, {"Fn::GetAtt": ["Queue", "Colour"]}, {"Ref": "Nothing"}):
        with pytest.raises(Unsupported):
            resolver.resolve(value)
