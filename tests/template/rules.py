"""What must hold in the templates, one function a rule; each raises AssertionError with the name of what breaks it.

cfn-lint knows the schema but not these: it accepts a misspelt parameter of a service integration, for one.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
from collections.abc import Callable
from typing import Any

from functions.activity_intake import bootstrap
from functions.shared import errors, events
from functions.shared.inbox import OUTSIDE
from functions.shared.runtime import Runtime
from functions.shared.settings import Settings
from infra.local.patterns import check_pattern
from tests.template.stack import ROOT, Stack, as_list, named, walk

DAYS = 24 * 3600
Rule = Callable[[Stack], None]
RULES: list[Rule] = []


def rule(function: Rule) -> Rule:
    RULES.append(function)
    return function


# -- queues and what leads into them -----------------------------------------------------------------------------------


def _doors(stack: Stack) -> dict[str, str]:
    """Queue → function behind it."""
    return {
        named(mapping["EventSourceArn"]): named(mapping["FunctionName"]).partition("Alias")[0]
        for mapping in stack.of_type("AWS::Lambda::EventSourceMapping").values()
    }


def _dead_letters(stack: Stack) -> dict[str, str]:
    """Queue → its dead letters, for all queues that a function reads."""
    queues = stack.of_type("AWS::SQS::Queue")
    return {door: named(queues[door]["RedrivePolicy"]["deadLetterTargetArn"]) for door in _doors(stack)}


def _service(stack: Stack, function: str) -> str:
    """The package of a function, which is also its name on the bus and in logs."""
    return str(stack.functions()[function]["Handler"].split(".")[1])


NAMESPACE = "Conveyor/${Stage}"
"""Two stages in one account must not ring each other's alarms."""


def _route_doors(stack: Stack) -> dict[str, str]:
    """Integration → function that answers its requests itself."""
    integrations = stack.of_type("AWS::ApiGatewayV2::Integration")
    uris = {name: named(integration.get("IntegrationUri", "")) for name, integration in integrations.items()}
    return {name: uri.partition("Alias")[0] for name, uri in uris.items() if uri}


@rule
def every_function_has_one_door_a_queue_or_a_route(stack: Stack) -> None:
    assert sorted([*_doors(stack).values(), *_route_doors(stack).values()]) == sorted(stack.functions())
    assert not stack.of_type("AWS::Lambda::Permission"), "somebody else may invoke a function"


@rule
def every_door_has_dead_letters_and_patience(stack: Stack) -> None:
    queues = stack.of_type("AWS::SQS::Queue")
    for door in _doors(stack):
        redrive = queues[door].get("RedrivePolicy", {})
        assert named(redrive.get("deadLetterTargetArn")) in queues, f"{door} has no dead letters"
        assert redrive["maxReceiveCount"] >= 30, f"{door} gives up during an outage of some hours"


@rule
def dead_letters_are_kept_longest(stack: Stack) -> None:
    queues = stack.of_type("AWS::SQS::Queue")
    for door, dead_letters in _dead_letters(stack).items():
        assert queues[dead_letters]["MessageRetentionPeriod"] == 14 * DAYS
        assert queues[door]["MessageRetentionPeriod"] < 14 * DAYS


@rule
def visibility_covers_six_runs_and_the_window(stack: Stack) -> None:
    queues, functions = stack.of_type("AWS::SQS::Queue"), stack.functions()
    for mapping in stack.of_type("AWS::Lambda::EventSourceMapping").values():
        door = named(mapping["EventSourceArn"])
        timeout = functions[_doors(stack)[door]]["Timeout"]
        assert queues[door]["VisibilityTimeout"] >= 6 * timeout + mapping["MaximumBatchingWindowInSeconds"], door


@rule
def batches_fail_in_parts_and_few_workers_share_the_request_limit(stack: Stack) -> None:
    batch_sizes = {"LeadsQueue": 200, "StagesQueue": 100, "CareQueue": 100, "MeetQueue": 100}
    for name, mapping in stack.of_type("AWS::Lambda::EventSourceMapping").items():
        assert mapping.get("FunctionResponseTypes") == ["ReportBatchItemFailures"], name
        assert mapping.get("ScalingConfig") == {"MaximumConcurrency": 2}, name
        assert mapping["BatchSize"] == batch_sizes[named(mapping["EventSourceArn"])], name
        assert 1 <= mapping["MaximumBatchingWindowInSeconds"] <= 2, f"{name}: batches above 10 need a window"


@rule
def the_mapping_invokes_the_alias(stack: Stack) -> None:
    for name, mapping in stack.of_type("AWS::Lambda::EventSourceMapping").items():
        assert named(mapping["FunctionName"]).endswith("Aliaslive"), f"{name} would bypass safe deployments"


@rule
def queues_are_encrypted_and_closed_to_plain_http(stack: Stack) -> None:
    closed = set()
    for policy in stack.of_type("AWS::SQS::QueuePolicy").values():
        for statement in policy["PolicyDocument"]["Statement"]:
            if statement["Effect"] == "Deny" and statement["Principal"] == "*" and statement["Action"] == "sqs:*":
                assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
                assert [named(queue) for queue in policy["Queues"]] == [named(statement["Resource"])]
                closed.add(named(statement["Resource"]))
    queues = stack.of_type("AWS::SQS::Queue")
    assert closed == set(queues)
    assert all(queue.get("SqsManagedSseEnabled") is True for queue in queues.values())


@rule
def what_cannot_be_delivered_is_kept(stack: Stack) -> None:
    deliveries = [(name, schedule["Target"]) for name, schedule in stack.of_type("AWS::Scheduler::Schedule").items()]
    assert len(deliveries) == len(_doors(stack)), "every function has its tick"
    deliveries += [(name, target) for name, rule in _rules(stack).items() for target in rule["Targets"]]
    for name, target in deliveries:
        door = named(target["Arn"])
        assert named(target.get("DeadLetterConfig", {}).get("Arn")) == _dead_letters(stack)[door], name
        assert set(target.get("RetryPolicy", {})) == {"MaximumEventAgeInSeconds", "MaximumRetryAttempts"}, name


@rule
def a_late_tick_gives_way_to_the_next(stack: Stack) -> None:
    for name, schedule in stack.of_type("AWS::Scheduler::Schedule").items():
        assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}, name
        assert schedule["Target"]["RetryPolicy"]["MaximumEventAgeInSeconds"] <= 60 * _minutes(schedule), name
        assert named(schedule["GroupName"]) in stack.of_type("AWS::Scheduler::ScheduleGroup"), name
    expected = {"LeadsTick": 1, "StagesTick": 5, "CareTick": 10, "MeetTick": 5}
    assert {name: _minutes(tick) for name, tick in stack.of_type("AWS::Scheduler::Schedule").items()} == expected


def _minutes(schedule: dict[str, Any]) -> int:
    """Its period."""
    rate = re.fullmatch(r"rate\((\d+) minutes?\)", schedule["ScheduleExpression"])
    assert rate, schedule["ScheduleExpression"]
    return int(rate[1])


# -- events of the bus -------------------------------------------------------------------------------------------------


def _rules(stack: Stack) -> dict[str, dict[str, Any]]:
    return stack.of_type("AWS::Events::Rule")


@rule
def a_rule_wants_one_event_of_one_function_by_the_fields_that_it_has(stack: Stack) -> None:
    services = {f"conveyor.{_service(stack, function)}" for function in stack.functions()}
    for name, properties in _rules(stack).items():
        pattern = properties["EventPattern"]
        check_pattern(pattern, name)
        assert named(properties["EventBusName"]) == "SalesBus", name
        assert properties.get("Description"), name
        [source], [detail_type] = pattern["source"], pattern["detail-type"]
        assert source in services, f"{name}: {source} is no function of ours"
        fields = {field.name for field in dataclasses.fields(getattr(events, detail_type))}
        assert set(pattern.get("detail", {})) <= fields, f"{name}: {detail_type} has no such field"
        assert set(pattern) <= {"source", "detail-type", "detail"}, name


@rule
def a_door_gets_nothing_that_its_function_does_not_handle(stack: Stack) -> None:
    wanted = {
        (door, detail_type)
        for properties in _rules(stack).values()
        for door in [named(target["Arn"]) for target in properties["Targets"]]
        for detail_type in properties["EventPattern"]["detail-type"]
    }
    for door, detail_type in wanted:
        package = ROOT / "functions" / _service(stack, _doors(stack)[door])
        code = "\n".join(path.read_text(encoding="utf-8") for path in package.glob("*.py"))
        assert f'"{detail_type}"' in code or f"{detail_type}.__name__" in code, (
            f"{door}: {detail_type} is read by nobody"
        )


@rule
def a_queue_takes_events_of_the_rules_that_lead_into_it_and_of_no_others(stack: Stack) -> None:
    led: dict[str, set[str]] = {}
    for name, properties in _rules(stack).items():
        for target in properties["Targets"]:
            assert not {"Input", "InputPath", "InputTransformer", "RoleArn"} & set(target), name
            for queue in (named(target["Arn"]), named(target["DeadLetterConfig"]["Arn"])):
                led.setdefault(queue, set()).add(name)
    allowed = {
        named(statement["Resource"]): (statement["Principal"], statement["Action"], statement.get("Condition"))
        for policy in stack.of_type("AWS::SQS::QueuePolicy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    }
    assert set(allowed) == set(led), "the routes and the schedules send under their own roles"
    for queue, (principal, action, condition) in allowed.items():
        assert (principal, action) == ({"Service": "events.amazonaws.com"}, "sqs:SendMessage"), queue
        assert list(condition or {}) == ["ArnEquals"] and list(condition["ArnEquals"]) == ["aws:SourceArn"], queue
        assert set(map(named, as_list(condition["ArnEquals"]["aws:SourceArn"]))) == led[queue], queue


# -- the webhook -------------------------------------------------------------------------------------------------------


HOOKS = {"leads": "Leads", "stages": "Stages", "clients": "Care", "tasks": "Meet"}
"""Path → how the names of what stands behind it begin."""


@rule
def every_hook_puts_the_whole_body_into_its_queue(stack: Stack) -> None:
    routes = stack.of_type("AWS::ApiGatewayV2::Route")
    hooks = {f"{kind}Hook": f"integrations/${{{kind}HookIntegration}}" for kind in HOOKS.values()}
    facts = {"EventsRoute": "integrations/${EventsIntegration}"}
    assert {name: named(route["Target"]) for name, route in routes.items()} == hooks | facts
    for path, kind in HOOKS.items():
        assert named(routes[f"{kind}Hook"]["RouteKey"]).endswith(f"/{path}")
        integration = dict(stack.of_type("AWS::ApiGatewayV2::Integration")[f"{kind}HookIntegration"])
        parameters = dict(integration.pop("RequestParameters"))
        assert json.loads(parameters.pop("MessageAttributes")) == {
            "requestId": {"DataType": "String", "StringValue": "${context.requestId}"},
            OUTSIDE: {"DataType": "String", "StringValue": "http"},
        }, "only values that are always present: SQS refuses an empty attribute"
        assert parameters == {"QueueUrl": {"Ref": f"{kind}Queue"}, "MessageBody": "$request.body"}
        assert named(integration.pop("CredentialsArn")) == f"{kind}HookRole"
        assert integration == {
            "ApiId": {"Ref": "HttpApi"},
            "IntegrationType": "AWS_PROXY",
            "IntegrationSubtype": "SQS-SendMessage",
            "PayloadFormatVersion": "1.0",
            "TimeoutInMillis": 2000,
        }


@rule
def facts_come_by_a_route_to_the_live_version_and_not_too_many_at_once(stack: Stack) -> None:
    """Its credentials are checked by the function, so the path holds no token, and may be in docs and clients."""
    assert stack.of_type("AWS::ApiGatewayV2::Route")["EventsRoute"]["RouteKey"] == "POST /v1/events"
    assert stack.of_type("AWS::ApiGatewayV2::Integration")["EventsIntegration"] == {
        "ApiId": {"Ref": "HttpApi"},
        "IntegrationType": "AWS_PROXY",
        "IntegrationUri": {"Ref": "ActivityIntakeFunctionAliaslive"},
        "PayloadFormatVersion": "2.0",
        "CredentialsArn": {"Fn::GetAtt": ["EventsRole", "Arn"]},
        "TimeoutInMillis": 29_000,
    }
    stage = stack.expanded["Resources"]["HttpStage"]
    limits = stage["Properties"]["RouteSettings"]["POST /v1/events"]
    assert limits["ThrottlingRateLimit"] <= 50 and limits["ThrottlingBurstLimit"] <= 100
    assert "EventsRoute" in as_list(stage["DependsOn"]), "settings of a route that does not exist yet are refused"


@rule
def the_token_is_a_literal_of_every_hook(stack: Stack) -> None:
    for kind in HOOKS.values():
        name, route = f"{kind}Hook", stack.of_type("AWS::ApiGatewayV2::Route")[f"{kind}Hook"]
        assert re.fullmatch(r"POST /hooks/\$\{HookToken\}/[a-z]+", named(route["RouteKey"])), name


@rule
def the_token_is_long_and_hidden(stack: Stack) -> None:
    token = stack.source["Parameters"]["HookToken"]
    assert token["NoEcho"] is True
    assert token["MinLength"] >= 32
    assert "Default" not in token
    pattern = re.compile(token["AllowedPattern"])
    assert pattern.search("aB3_-" * 8)
    assert not any(pattern.search(bad) for bad in ("with space", "a/b", "{proxy+}", "é" * 32, "a?b", "$default", ""))
    longest_route = len("POST /hooks//clients") + token["MaxLength"]
    assert longest_route <= 128, "API Gateway takes route keys of up to 128 characters"


@rule
def the_token_appears_in_routes_only(stack: Stack) -> None:
    rest = {
        **stack.expanded,
        "Metadata": None,  # names the parameter for the console's form
        "Parameters": None,
        "Resources": {
            name: resource
            for name, resource in stack.expanded["Resources"].items()
            if resource["Type"] != "AWS::ApiGatewayV2::Route"
        },
    }
    assert not [
        text for text in walk(rest) if text == "HookToken" or (isinstance(text, str) and "${HookToken}" in text)
    ]


@rule
def access_logs_hold_neither_token_nor_body(stack: Stack) -> None:
    for name, stage in stack.of_type("AWS::ApiGatewayV2::Stage").items():
        logged = json.loads(stage["AccessLogSettings"]["Format"])
        known = {
            "requestId": "$context.requestId",
            "requestTime": "$context.requestTime",
            "status": "$context.status",
            "responseLatency": "$context.responseLatency",
            "integrationStatus": "$context.integrationStatus",
            "integrationError": "$context.integrationErrorMessage",
        }
        assert logged == known, f"{name}: path and routeKey contain the token"
        assert named(stage["AccessLogSettings"]["DestinationArn"]) in stack.of_type("AWS::Logs::LogGroup")


@rule
def the_stage_is_throttled(stack: Stack) -> None:
    for name, stage in stack.of_type("AWS::ApiGatewayV2::Stage").items():
        limits = stage.get("DefaultRouteSettings", {})
        assert 100 <= limits.get("ThrottlingRateLimit", 0) <= 1000, name
        assert 100 <= limits.get("ThrottlingBurstLimit", 0) <= 2000, name


# -- functions ---------------------------------------------------------------------------------------------------------


@rule
def functions_say_what_they_run_on(stack: Stack) -> None:
    for name, function in stack.functions().items():
        assert function["Runtime"] == "python3.13", name
        assert function["Architectures"] == ["arm64"], name
        integration = next((each for each, behind in _route_doors(stack).items() if behind == name), None)
        limit = stack.of_type("AWS::ApiGatewayV2::Integration")[integration]["TimeoutInMillis"] if integration else 0
        assert function["Timeout"] == (limit / 1000 - 1 if integration else 60), name
        assert function["MemorySize"] == 512, name
        assert function["TracingConfig"] == {"Mode": "Active"}, name
        assert function.get("Description"), name


@rule
def functions_log_json_into_a_group_of_limited_age(stack: Stack) -> None:
    groups = stack.of_type("AWS::Logs::LogGroup")
    for name, function in stack.functions().items():
        assert function["LoggingConfig"]["LogFormat"] == "JSON", name
        group = named(function["LoggingConfig"].get("LogGroup"))
        assert group in groups, name
        assert named(groups[group]["LogGroupName"]) == f"/conveyor/${{Stage}}/{_service(stack, name)}", name
    assert all("RetentionInDays" in group for group in groups.values())


@rule
def every_function_is_packed_from_one_folder_with_its_parent(stack: Stack) -> None:
    assert stack.source["Globals"]["Function"]["CodeUri"] == "functions/"
    for name, resource in stack.source["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            assert resource.get("Metadata", {}).get("BuildProperties") == {"ParentPackageMode": "auto"}, name
            assert "CodeUri" not in resource["Properties"], name


@rule
def every_handler_imports(stack: Stack) -> None:
    for name, function in stack.functions().items():
        module, _, attribute = function["Handler"].rpartition(".")
        assert callable(getattr(importlib.import_module(module), attribute)), name


@rule
def every_function_has_its_own_role(stack: Stack) -> None:
    roles = [named(function["Role"]) for function in stack.functions().values()]
    assert len(set(roles)) == len(roles)
    made_by_sam = {name for name in stack.of_type("AWS::IAM::Role") if name not in stack.source["Resources"]}
    assert made_by_sam <= {"CodeDeployServiceRole"}, "SAM's own roles may read every queue"
    managed = {name for name, role in stack.of_type("AWS::IAM::Role").items() if "ManagedPolicyArns" in role}
    assert managed <= {"CodeDeployServiceRole"}


@rule
def the_environment_is_what_the_functions_read(stack: Stack) -> None:
    for name, function in stack.functions().items():
        variables = {key: named(value) for key, value in function["Environment"]["Variables"].items()}
        if name in _route_doors(stack).values():
            bootstrap.build(variables, Runtime())
            own = {"CARE_QUEUE_URL": "CareQueue"}
        else:
            Settings.from_environment({**variables, "REQUESTS_PER_SECOND": "6"})
            door = next(queue for queue, behind in _doors(stack).items() if behind == name)
            own = {"QUEUE_URL": door, "DEAD_LETTERS_URL": _dead_letters(stack)[door]}
        assert variables == {
            **own,
            "TABLE_NAME": "Table",
            "BUS_NAME": "SalesBus",
            "AMOCRM_BASE_URL": "AmoCrmBaseUrl",
            "SECRETS_PREFIX": "/conveyor/${Stage}",
            "REQUESTS_PER_SECOND": "RequestsPerSecond",
            "POWERTOOLS_METRICS_NAMESPACE": NAMESPACE,
        }


@rule
def new_versions_take_over_step_by_step_and_are_rolled_back(stack: Stack) -> None:
    groups = stack.of_type("AWS::CodeDeploy::DeploymentGroup")
    for name in stack.functions():
        assert stack.source["Resources"][name]["Properties"].get("AutoPublishAliasAllProperties") is True, name
        group = groups.get(f"{name}DeploymentGroup")
        assert group, f"{name} has no safe deployment"
        assert "AllAtOnce" not in str(group["DeploymentConfigName"])
        watched = [stack.alarms()[named(alarm["Name"])] for alarm in group["AlarmConfiguration"]["Alarms"]]
        errors = [alarm for alarm in watched if alarm.get("MetricName") == "Errors"]
        assert [named(dimension["Value"]) for alarm in errors for dimension in alarm["Dimensions"]] == [name]


# -- permissions -------------------------------------------------------------------------------------------------------


@rule
def nothing_is_allowed_by_wildcard(stack: Stack) -> None:
    documents = [
        policy["PolicyDocument"]
        for role in stack.of_type("AWS::IAM::Role").values()
        for policy in role.get("Policies", [])
    ] + [policy["PolicyDocument"] for policy in stack.of_type("AWS::SQS::QueuePolicy").values()]
    allowed = [
        statement for document in documents for statement in document["Statement"] if statement["Effect"] == "Allow"
    ]
    for statement in allowed:
        assert not [action for action in as_list(statement["Action"]) if "*" in action], statement["Sid"]
        assert "NotAction" not in statement and "NotResource" not in statement
        assert statement.get("Principal") != "*", statement["Sid"]
        if "*" in map(named, as_list(statement["Resource"])):
            assert {action.split(":")[0] for action in as_list(statement["Action"])} == {"xray"}, statement["Sid"]


# -- state -------------------------------------------------------------------------------------------------------------


@rule
def the_table_is_safe_and_has_one_sparse_index(stack: Stack) -> None:
    resource = stack.expanded["Resources"]["Table"]
    assert resource.get("DeletionPolicy") == resource.get("UpdateReplacePolicy") == "Retain"
    table = resource["Properties"]
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["DeletionProtectionEnabled"] == {"Ref": "DeletionProtection"}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert _keys(table) == ["pk", "sk"]
    [due] = table["GlobalSecondaryIndexes"]
    assert (due["IndexName"], _keys(due)) == ("due", ["due_shard", "due_at"])
    assert due["Projection"] == {"ProjectionType": "KEYS_ONLY"}
    assert {attribute["AttributeType"] for attribute in table["AttributeDefinitions"]} == {"S"}
    assert "TableName" not in table, "a retained table with a fixed name stands in the way of the next one"


def _keys(table: dict[str, Any]) -> list[str]:
    assert [key["KeyType"] for key in table["KeySchema"]] == ["HASH", "RANGE"]
    return [key["AttributeName"] for key in table["KeySchema"]]


@rule
def events_can_be_replayed(stack: Stack) -> None:
    archives = {named(archive["SourceArn"]): archive for archive in stack.of_type("AWS::Events::Archive").values()}
    assert set(archives) == set(stack.of_type("AWS::Events::EventBus"))
    assert all(archive["RetentionDays"] >= 30 for archive in archives.values())
    assert not any("EventPattern" in archive for archive in archives.values()), "an archive with gaps replays gaps"


# -- parameters and alarms ---------------------------------------------------------------------------------------------


@rule
def every_parameter_is_described_and_checked(stack: Stack) -> None:
    for name, parameter in stack.source["Parameters"].items():
        assert len(parameter["Description"]) > 20, name
        assert {"AllowedPattern", "AllowedValues", "MinValue"} & set(parameter), f"{name} takes anything"
        if "AllowedPattern" in parameter:
            assert parameter.get("ConstraintDescription"), f"{name}: a pattern alone tells a person nothing"


@rule
def the_base_url_is_an_account_of_amocrm(stack: Stack) -> None:
    pattern = re.compile(stack.source["Parameters"]["AmoCrmBaseUrl"]["AllowedPattern"])
    good = ("https://oknaplus.amocrm.ru", "https://my-firm2.kommo.com")
    bad = [
        "http://a.amocrm.ru",
        "https://a.amocrm.ru/",
        "https://amocrm.ru",
        "https://aamocrm.ru",
        "https://a.amocrmXru",
        "https://evil.com/a.amocrm.ru",
        "https://a.amocrm.ru.evil.com",
    ]
    assert all(map(pattern.search, good))
    assert not any(map(pattern.search, bad))


@rule
def the_request_budget_has_bounds(stack: Stack) -> None:
    rate = stack.source["Parameters"]["RequestsPerSecond"]
    assert (rate["Default"], rate["MinValue"], rate["MaxValue"]) == (6, 1, 50)


@rule
def every_alarm_tells_the_first_step_to_somebody(stack: Stack) -> None:
    for name, alarm in stack.alarms().items():
        assert "First step: " in alarm["AlarmDescription"], name
        actions = [named(stack.passed_to_nested(action)) for action in alarm["AlarmActions"]]
        assert actions == ["AlarmTopic"], name
        assert alarm.get("TreatMissingData") in ("notBreaching", "breaching"), name


def _watched(stack: Stack) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    """(namespace:metric, dimensions as logical ids) of everything that some alarm watches."""
    found = []
    for alarm in stack.alarms().values():
        queries = alarm.get("Metrics", [])
        metrics = [query["MetricStat"]["Metric"] for query in queries if "MetricStat" in query] or [alarm]
        for metric in metrics:
            dimensions = tuple(
                sorted(
                    (part["Name"], named(stack.passed_to_nested(part["Value"])))
                    for part in metric.get("Dimensions", [])
                )
            )
            found.append((f"{named(metric['Namespace'])}:{metric['MetricName']}", dimensions))
    return found


@rule
def every_way_to_fail_has_its_alarm(stack: Stack) -> None:
    watched = _watched(stack)
    api, group = (("ApiId", "HttpApi"),), (("ScheduleGroup", "Ticks"),)
    expected = {
        ("AWS/ApiGateway:5xx", api),
        ("AWS/ApiGateway:4xx", api),
        ("AWS/Lambda:Throttles", ()),
        ("AWS/Scheduler:InvocationAttemptCount", group),
        ("AWS/Scheduler:TargetErrorCount", group),
        ("AWS/DynamoDB:WriteThrottleEvents", (("TableName", "Table"),)),
        (f"{NAMESPACE}:AmoCrmBreakerOpened", ()),
        (f"{NAMESPACE}:AmoCrmUnauthorized", ()),
        (f"{NAMESPACE}:LeadFailed", ()),
        (f"{NAMESPACE}:HookRejected", ()),
        (f"{NAMESPACE}:CareStorm", ()),
        (f"{NAMESPACE}:CareClientForgotten", ()),
        (f"{NAMESPACE}:CalendarRefused", ()),
        # It accepts items of «Неразобранное» one by one, so it alone comes near its timeout day by day.
        ("AWS/Lambda:Duration", (("FunctionName", "DistributeFunction"),)),
    }
    expected |= {("AWS/Lambda:Errors", (("FunctionName", function),)) for function in stack.functions()}
    for door in _doors(stack):
        expected |= {
            ("AWS/SQS:ApproximateNumberOfMessagesVisible", (("QueueName", _dead_letters(stack)[door]),)),
            ("AWS/SQS:ApproximateAgeOfOldestMessage", (("QueueName", door),)),
        }
    # Calls may wait for hours while a calendar's limits are used up; what else holds them up has its own alarms.
    expected -= {("AWS/SQS:ApproximateAgeOfOldestMessage", (("QueueName", "MeetQueue"),))}
    assert sorted(watched) == sorted(expected)


@rule
def metrics_of_our_own_are_counted_somewhere(stack: Stack) -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "functions").rglob("*.py"))
    watched = {metric.partition(":")[2] for metric, _ in _watched(stack) if metric.startswith(f"{NAMESPACE}:")}
    assert watched
    named_after_errors = set(vars(errors)) if "count(type(error).__name__" in code else set()
    assert {metric for metric in watched - named_after_errors if f'count("{metric}"' not in code} == set()


@rule
def slow_means_near_the_timeout(stack: Stack) -> None:
    for name, alarm in stack.alarms().items():
        if alarm.get("MetricName") == "Duration":
            function = named(stack.passed_to_nested(alarm["Dimensions"][0]["Value"]))
            assert alarm["ExtendedStatistic"] == "p99", name
            assert alarm["Threshold"] == 0.8 * 1000 * stack.functions()[function]["Timeout"], name


@rule
def silence_of_the_ticks_is_an_alarm(stack: Stack) -> None:
    ticks = stack.alarms()["TicksStopped"]
    assert ticks["TreatMissingData"] == "breaching", "a schedule that is switched off sends no metric at all"
    assert ticks["ComparisonOperator"] == "LessThanThreshold"
    [period] = {query["MetricStat"]["Period"] for query in ticks["Metrics"] if "MetricStat" in query}
    schedules = stack.of_type("AWS::Scheduler::Schedule").values()
    assert ticks["Threshold"] == sum(period / 60 / _minutes(schedule) for schedule in schedules), "one may stop alone"


@rule
def alarms_fit_the_bill(stack: Stack) -> None:
    cents = 10 * len(_watched(stack))
    assert cents <= 110 + 30 * len(stack.functions()), "five functions must leave something of 3 USD a month"
    comment = (ROOT / "infra" / "observability.yaml").read_text(encoding="utf-8")
    assert f"{len(stack.alarms())} alarms, {len(_watched(stack))} metrics, {cents / 100:.2f} USD a month" in comment
