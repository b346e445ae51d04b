"""The templates keep every rule, and every rule notices when its part of them is spoilt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from functions.shared.errors import NotConfigured
from infra.local.intrinsics import Unsupported
from tests.template import rules
from tests.template.stack import Change, Stack, Template, build

GONE = object()


@pytest.fixture(scope="module")
def stack() -> Stack:
    return build()


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_the_templates_keep_the_rule(stack: Stack, rule: rules.Rule) -> None:
    rule(stack)


def put(path: str, value: Any, template: str = "main") -> Change:
    """Replace what stands at `Resource/Property/0/…` (`~1` is a slash inside a step), or take it away with GONE; a new
    last step is added."""

    def change(templates: dict[str, Template]) -> None:
        *steps, last = path.split("/")
        place: Any = templates[template]
        for step in steps if path.partition("/")[0] in place else ["Resources", *steps]:
            place = place[int(step) if isinstance(place, list) else step.replace("~1", "/")]
        key: Any = int(last) if isinstance(place, list) else last
        if value is GONE:
            del place[key]
        else:
            place[key] = value

    return change


def nested(path: str, value: Any) -> Change:
    return put(path, value, "nested")


DISTRIBUTE = "DistributeFunction/Properties"
ROUTER = "QualifyRouterFunction/Properties"
INTAKE_VARIABLES = "ActivityIntakeFunction/Properties/Environment/Variables"
FACTS = rules.facts_come_by_a_route_to_the_live_version_and_not_too_many_at_once
DOOR = f"{DISTRIBUTE}/Events/Door/Properties"
HOOK = "LeadsHookIntegration/Properties/RequestParameters"
GLOBALS = "Globals/Function"
STATEMENTS = "DistributeRole/Properties/Policies/0/PolicyDocument/Statement"
PERMISSION = {"Type": "AWS::Lambda::Permission", "Properties": {"Action": "lambda:InvokeFunction"}}
SECOND_QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {"SqsManagedSseEnabled": True}}
OPEN_TO_THE_BUS = {
    "Sid": "EventsOfTheBus",
    "Effect": "Allow",
    "Principal": {"Service": "events.amazonaws.com"},
    "Action": "sqs:SendMessage",
    "Resource": {"Fn::GetAtt": ["LeadsQueue", "Arn"]},
}
LEADS_POLICY = "LeadsQueuePolicy/Properties/PolicyDocument/Statement"
STAGES_POLICY = "StagesQueuePolicy/Properties/PolicyDocument/Statement"
SOURCE_ARN = "1/Condition/ArnEquals/aws:SourceArn"
HAND_OVERS = "HandOvers/Properties"
SERVICE = {"Name": "service", "Value": "distribute"}
GROUP_FOR_EVER = {"Type": "AWS::Logs::LogGroup", "Properties": {}}
API_OUTPUT = {"Value": {"Fn::Sub": "${HttpApi.ApiEndpoint}/hooks/${HookToken}/leads"}}
TOKEN_IN_LOG = '{"requestId":"$context.requestId","route":"$context.routeKey"}'
OPTIONAL_HEADER = '{"sender":{"DataType":"String","StringValue":"${request.header.user-agent}"}}'

SPOILT: list[tuple[Callable[[Stack], None], Change]] = [
    (rules.every_function_has_one_door_a_queue_or_a_route, put(f"{DISTRIBUTE}/Events", {})),
    (rules.every_function_has_one_door_a_queue_or_a_route, put("Everybody", PERMISSION)),
    (rules.every_function_has_one_door_a_queue_or_a_route, put("EventsIntegration/Properties/IntegrationUri", GONE)),
    (FACTS, put("EventsIntegration/Properties/IntegrationUri", {"Fn::GetAtt": ["ActivityIntakeFunction", "Arn"]})),
    (FACTS, put("EventsIntegration/Properties/PayloadFormatVersion", "1.0")),
    (FACTS, put("EventsRoute/Properties/RouteKey", "ANY /v1/events")),
    (FACTS, put("HttpStage/Properties/RouteSettings/POST ~1v1~1events/ThrottlingRateLimit", 1000)),
    (FACTS, put("HttpStage/DependsOn", [])),
    (rules.functions_say_what_they_run_on, put("ActivityIntakeFunction/Properties/Timeout", 60)),
    (rules.the_environment_is_what_the_functions_read, put(f"{INTAKE_VARIABLES}/CARE_QUEUE_URL", "")),
    (rules.every_way_to_fail_has_its_alarm, put("ActivityIntakeErrors", GONE)),
    (rules.every_door_has_dead_letters_and_patience, put("LeadsQueue/Properties/RedrivePolicy", GONE)),
    (rules.every_door_has_dead_letters_and_patience, put("LeadsQueue/Properties/RedrivePolicy/maxReceiveCount", 5)),
    (rules.dead_letters_are_kept_longest, put("LeadsDeadLetters/Properties/MessageRetentionPeriod", 345600)),
    (rules.dead_letters_are_kept_longest, put("LeadsQueue/Properties/MessageRetentionPeriod", 1209600)),
    (rules.visibility_covers_six_runs_and_the_window, put("LeadsQueue/Properties/VisibilityTimeout", 360)),
    (rules.visibility_covers_six_runs_and_the_window, put(f"{GLOBALS}/Timeout", 90)),
    (rules.batches_fail_in_parts_and_few_workers_share_the_request_limit, put(f"{DOOR}/FunctionResponseTypes", GONE)),
    (rules.batches_fail_in_parts_and_few_workers_share_the_request_limit, put(f"{DOOR}/ScalingConfig", GONE)),
    (rules.batches_fail_in_parts_and_few_workers_share_the_request_limit, put(f"{DOOR}/BatchSize", 10)),
    (
        rules.batches_fail_in_parts_and_few_workers_share_the_request_limit,
        put(f"{DOOR}/MaximumBatchingWindowInSeconds", 20),
    ),
    (rules.the_mapping_invokes_the_alias, put(f"{GLOBALS}/AutoPublishAlias", "beta")),
    (rules.queues_are_encrypted_and_closed_to_plain_http, put("LeadsQueue/Properties/SqsManagedSseEnabled", False)),
    (rules.queues_are_encrypted_and_closed_to_plain_http, put("LeadsDeadLettersPolicy", GONE)),
    (rules.queues_are_encrypted_and_closed_to_plain_http, put("Another", SECOND_QUEUE)),
    (rules.what_cannot_be_delivered_is_kept, put("LeadsTick/Properties/Target/DeadLetterConfig", GONE)),
    (rules.what_cannot_be_delivered_is_kept, put("LeadsTick/Properties/Target/RetryPolicy", GONE)),
    (rules.what_cannot_be_delivered_is_kept, put("StagesTick", GONE)),
    (rules.what_cannot_be_delivered_is_kept, put(f"{HAND_OVERS}/Targets/0/DeadLetterConfig", GONE)),
    (
        rules.what_cannot_be_delivered_is_kept,
        put("Twins/Properties/Targets/0/DeadLetterConfig/Arn", {"Fn::GetAtt": ["LeadsDeadLetters", "Arn"]}),
    ),
    (
        rules.a_rule_wants_one_event_of_one_function_by_the_fields_that_it_has,
        put(f"{HAND_OVERS}/EventPattern/source", ["conveyor.router"]),
    ),
    (
        rules.a_rule_wants_one_event_of_one_function_by_the_fields_that_it_has,
        put(f"{HAND_OVERS}/EventPattern/detail-type", ["LeadRoute"]),
    ),
    (
        rules.a_rule_wants_one_event_of_one_function_by_the_fields_that_it_has,
        put(f"{HAND_OVERS}/EventPattern/detail", {"handover": [True]}),
    ),
    (
        rules.a_rule_wants_one_event_of_one_function_by_the_fields_that_it_has,
        put("Twins/Properties/EventPattern/detail/twins", [{"number": [">", 0]}]),
    ),
    (
        rules.a_rule_wants_one_event_of_one_function_by_the_fields_that_it_has,
        put(f"{HAND_OVERS}/EventBusName", "default"),
    ),
    (
        rules.a_door_gets_nothing_that_its_function_does_not_handle,
        put("Losses/Properties/EventPattern/detail-type", ["LeadsMerged"]),
    ),
    (
        rules.a_door_gets_nothing_that_its_function_does_not_handle,
        put("Losses/Properties/Targets/0/Arn", {"Fn::GetAtt": ["StagesQueue", "Arn"]}),
    ),
    (rules.a_queue_takes_events_of_the_rules_that_lead_into_it_and_of_no_others, put(f"{STAGES_POLICY}/1", GONE)),
    (
        rules.a_queue_takes_events_of_the_rules_that_lead_into_it_and_of_no_others,
        put(f"{LEADS_POLICY}/1", OPEN_TO_THE_BUS),
    ),
    (
        rules.a_queue_takes_events_of_the_rules_that_lead_into_it_and_of_no_others,
        put(f"{LEADS_POLICY}/{SOURCE_ARN}", {"Fn::GetAtt": ["HandOvers", "Arn"]}),
    ),
    (
        rules.a_queue_takes_events_of_the_rules_that_lead_into_it_and_of_no_others,
        put(f"{STAGES_POLICY}/{SOURCE_ARN}", {"Fn::GetAtt": ["HandOvers", "Arn"]}),
    ),
    (
        rules.a_queue_takes_events_of_the_rules_that_lead_into_it_and_of_no_others,
        put("StagesDeadLettersPolicy/Properties/PolicyDocument/Statement/1", GONE),
    ),
    (
        rules.a_queue_takes_events_of_the_rules_that_lead_into_it_and_of_no_others,
        put(f"{HAND_OVERS}/Targets/0/InputPath", "$.detail"),
    ),
    (rules.a_late_tick_gives_way_to_the_next, put("LeadsTick/Properties/ScheduleExpression", "rate(1 hour)")),
    (
        rules.a_late_tick_gives_way_to_the_next,
        put("LeadsTick/Properties/Target/RetryPolicy/MaximumEventAgeInSeconds", 86400),
    ),
    (
        rules.a_late_tick_gives_way_to_the_next,
        put("StagesTick/Properties/Target/RetryPolicy/MaximumEventAgeInSeconds", 301),
    ),
    (rules.every_hook_puts_the_whole_body_into_its_queue, put(f"{HOOK}/MessageBody", "$request.body.leads")),
    (rules.every_hook_puts_the_whole_body_into_its_queue, put(f"{HOOK}/MesageBody", "$request.body")),
    (rules.every_hook_puts_the_whole_body_into_its_queue, put(f"{HOOK}/MessageAttributes", OPTIONAL_HEADER)),
    (rules.every_hook_puts_the_whole_body_into_its_queue, put(f"{HOOK}/QueueUrl", {"Ref": "LeadsDeadLetters"})),
    (
        rules.every_hook_puts_the_whole_body_into_its_queue,
        put("LeadsHookIntegration/Properties/CredentialsArn", {"Fn::GetAtt": ["LeadsTickRole", "Arn"]}),
    ),
    (rules.every_hook_puts_the_whole_body_into_its_queue, put("LeadsHook/Properties/Target", "integrations/abc")),
    (
        rules.every_hook_puts_the_whole_body_into_its_queue,
        put("StagesHookIntegration/Properties/RequestParameters/QueueUrl", {"Ref": "LeadsQueue"}),
    ),
    (rules.every_hook_puts_the_whole_body_into_its_queue, put("StagesHook", GONE)),
    (rules.the_token_is_a_literal_of_every_hook, put("LeadsHook/Properties/RouteKey", "POST /hooks/{token}/leads")),
    (rules.the_token_is_long_and_hidden, put("Parameters/HookToken/NoEcho", False)),
    (rules.the_token_is_long_and_hidden, put("Parameters/HookToken/MinLength", 16)),
    (rules.the_token_is_long_and_hidden, put("Parameters/HookToken/MaxLength", 128)),
    (rules.the_token_is_long_and_hidden, put("Parameters/HookToken/AllowedPattern", ".+")),
    (rules.the_token_is_long_and_hidden, put("Parameters/HookToken/Default", "t" * 32)),
    (rules.the_token_appears_in_routes_only, put("Outputs/HookUrl", API_OUTPUT)),
    (rules.the_token_appears_in_routes_only, put("Globals/Function/Environment/Variables/TOKEN", {"Ref": "HookToken"})),
    (rules.access_logs_hold_neither_token_nor_body, put("HttpStage/Properties/AccessLogSettings/Format", TOKEN_IN_LOG)),
    (rules.the_stage_is_throttled, put("HttpStage/Properties/DefaultRouteSettings", GONE)),
    (rules.functions_say_what_they_run_on, put(f"{DISTRIBUTE}/Timeout", 3)),
    (rules.functions_say_what_they_run_on, put(f"{DISTRIBUTE}/Architectures", ["x86_64"])),
    (rules.functions_say_what_they_run_on, put(f"{GLOBALS}/Tracing", "PassThrough")),
    (rules.functions_log_json_into_a_group_of_limited_age, put(f"{DISTRIBUTE}/LoggingConfig/LogGroup", GONE)),
    (rules.functions_log_json_into_a_group_of_limited_age, put("Another", GROUP_FOR_EVER)),
    (
        rules.functions_log_json_into_a_group_of_limited_age,
        put(f"{ROUTER}/LoggingConfig/LogGroup", {"Ref": "DistributeLogs"}),
    ),
    (rules.every_function_is_packed_from_one_folder_with_its_parent, put("DistributeFunction/Metadata", GONE)),
    (rules.every_function_is_packed_from_one_folder_with_its_parent, put(f"{DISTRIBUTE}/CodeUri", "s3://other/zip")),
    (rules.every_handler_imports, put(f"{DISTRIBUTE}/Handler", "functions.distribute.handler.main")),
    (rules.every_handler_imports, put(f"{DISTRIBUTE}/Handler", "distribute.handler.lambda_handler")),
    (rules.every_function_has_its_own_role, put(f"{DISTRIBUTE}/Role", GONE)),
    (rules.every_function_has_its_own_role, put(f"{ROUTER}/Role", {"Fn::GetAtt": ["DistributeRole", "Arn"]})),
    (
        rules.every_function_has_its_own_role,
        put("DistributeRole/Properties/ManagedPolicyArns", ["arn:aws:iam::aws:policy/AdministratorAccess"]),
    ),
    (rules.the_environment_is_what_the_functions_read, put(f"{DISTRIBUTE}/Environment/Variables/QUEUE_URL", GONE)),
    (
        rules.the_environment_is_what_the_functions_read,
        put(f"{DISTRIBUTE}/Environment/Variables/DEAD_LETTERS_URL", {"Ref": "LeadsQueue"}),
    ),
    (
        rules.the_environment_is_what_the_functions_read,
        put(f"{ROUTER}/Environment/Variables/QUEUE_URL", {"Ref": "LeadsQueue"}),
    ),
    (
        rules.new_versions_take_over_step_by_step_and_are_rolled_back,
        put(f"{DISTRIBUTE}/DeploymentPreference/Enabled", False),
    ),
    (
        rules.new_versions_take_over_step_by_step_and_are_rolled_back,
        put(f"{GLOBALS}/DeploymentPreference/Type", "AllAtOnce"),
    ),
    (
        rules.new_versions_take_over_step_by_step_and_are_rolled_back,
        put(f"{DISTRIBUTE}/DeploymentPreference/Alarms", []),
    ),
    (
        rules.new_versions_take_over_step_by_step_and_are_rolled_back,
        put(f"{ROUTER}/DeploymentPreference/Alarms", [{"Ref": "DistributeErrors"}]),
    ),
    (
        rules.new_versions_take_over_step_by_step_and_are_rolled_back,
        put(f"{DISTRIBUTE}/AutoPublishAliasAllProperties", GONE),
    ),
    (rules.nothing_is_allowed_by_wildcard, put(f"{STATEMENTS}/2/Action", ["dynamodb:*"])),
    (rules.nothing_is_allowed_by_wildcard, put(f"{STATEMENTS}/2/Resource", "*")),
    (
        rules.nothing_is_allowed_by_wildcard,
        put(LEADS_POLICY, [{**OPEN_TO_THE_BUS, "Principal": "*"}]),
    ),
    (rules.the_table_is_safe_and_has_one_sparse_index, put("Table/DeletionPolicy", "Delete")),
    (rules.the_table_is_safe_and_has_one_sparse_index, put("Table/Properties/TimeToLiveSpecification", GONE)),
    (
        rules.the_table_is_safe_and_has_one_sparse_index,
        put("Table/Properties/GlobalSecondaryIndexes/0/Projection", {"ProjectionType": "ALL"}),
    ),
    (
        rules.the_table_is_safe_and_has_one_sparse_index,
        put("Table/Properties/PointInTimeRecoverySpecification/PointInTimeRecoveryEnabled", False),
    ),
    (rules.the_table_is_safe_and_has_one_sparse_index, put("Table/Properties/DeletionProtectionEnabled", False)),
    (rules.events_can_be_replayed, put("SalesArchive", GONE)),
    (rules.events_can_be_replayed, put("SalesArchive/Properties/EventPattern", {"detail-type": ["SaleWon"]})),
    (rules.every_parameter_is_described_and_checked, put("Parameters/Stage/AllowedPattern", GONE)),
    (rules.every_parameter_is_described_and_checked, put("Parameters/Stage/ConstraintDescription", GONE)),
    (
        rules.the_base_url_is_an_account_of_amocrm,
        put("Parameters/AmoCrmBaseUrl/AllowedPattern", "^https://.*amocrm.ru"),
    ),
    (rules.the_request_budget_has_bounds, put("Parameters/RequestsPerSecond/Default", 7)),
    (rules.every_alarm_tells_the_first_step_to_somebody, nested("LeadsLate/Properties/AlarmActions", [])),
    (rules.every_alarm_tells_the_first_step_to_somebody, nested("LeadsLate/Properties/AlarmDescription", "late")),
    (rules.every_alarm_tells_the_first_step_to_somebody, put("DistributeErrors/Properties/TreatMissingData", GONE)),
    (rules.every_way_to_fail_has_its_alarm, nested("LeadsDeadLettersNotEmpty", GONE)),
    (rules.every_way_to_fail_has_its_alarm, nested("StagesLate", GONE)),
    (rules.every_way_to_fail_has_its_alarm, nested("AmoCrmTokenRefused/Properties/Dimensions", [SERVICE])),
    (
        rules.every_way_to_fail_has_its_alarm,
        put("Observability/Properties/Parameters/StagesQueue", {"Fn::GetAtt": ["LeadsQueue", "QueueName"]}),
    ),
    (
        rules.every_way_to_fail_has_its_alarm,
        put("Observability/Properties/Parameters/LeadsDeadLetters", {"Fn::GetAtt": ["LeadsQueue", "QueueName"]}),
    ),
    (
        rules.metrics_of_our_own_are_counted_somewhere,
        nested("HooksRejected/Properties/MetricName", "HookRefused"),
    ),
    (
        rules.metrics_of_our_own_are_counted_somewhere,
        nested("AmoCrmTokenRefused/Properties/MetricName", "AmoCrmUnauthorised"),
    ),
    (rules.slow_means_near_the_timeout, put(f"{GLOBALS}/Timeout", 120)),
    (rules.silence_of_the_ticks_is_an_alarm, nested("TicksStopped/Properties/TreatMissingData", "notBreaching")),
    (rules.silence_of_the_ticks_is_an_alarm, nested("TicksStopped/Properties/Threshold", 1)),
    (rules.silence_of_the_ticks_is_an_alarm, put("StagesTick/Properties/ScheduleExpression", "rate(10 minutes)")),
    (rules.alarms_fit_the_bill, nested("HooksRejected", GONE)),
]


@pytest.mark.parametrize(("rule", "change"), SPOILT, ids=[f"{i}-{rule.__name__}" for i, (rule, _) in enumerate(SPOILT)])
def test_the_rule_notices(rule: rules.Rule, change: Change) -> None:
    spoilt = build(change)
    with pytest.raises((AssertionError, ImportError, AttributeError, KeyError, NotConfigured, Unsupported)):
        rule(spoilt)


def test_every_rule_has_been_seen_to_fail() -> None:
    assert {rule for rule, _ in SPOILT} == set(rules.RULES)
