"""Resolve `Ref`, `Fn::GetAtt`, `Fn::Sub` and the other functions of CloudFormation as a deployment would."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from functions.shared.errors import ConveyorError

ACCOUNT = "123456789012"
"""The account that moto plays."""

_PLACEHOLDER = re.compile(r"\$\{([^}]+)\}")


class Unsupported(ConveyorError):
    """The template asks for something that the local stack does not play, so it refuses to pretend."""


@dataclass(frozen=True)
class _Kind:
    """How resources of a type are called: the property with an explicit name, and the ARN without its prefix."""

    name_property: str
    arn: str


_KINDS = {
    "AWS::SQS::Queue": _Kind("QueueName", "sqs:{region}:{account}:{name}"),
    "AWS::DynamoDB::Table": _Kind("TableName", "dynamodb:{region}:{account}:table/{name}"),
    "AWS::Events::EventBus": _Kind("Name", "events:{region}:{account}:event-bus/{name}"),
    "AWS::Events::Rule": _Kind("Name", "events:{region}:{account}:rule/{name}"),
    "AWS::Events::Archive": _Kind("ArchiveName", "events:{region}:{account}:archive/{name}"),
    "AWS::Lambda::Function": _Kind("FunctionName", "lambda:{region}:{account}:function:{name}"),
    "AWS::Logs::LogGroup": _Kind("LogGroupName", "logs:{region}:{account}:log-group:{name}:*"),
    "AWS::SNS::Topic": _Kind("TopicName", "sns:{region}:{account}:{name}"),
    "AWS::IAM::Role": _Kind("RoleName", "iam::{account}:role/{name}"),
    "AWS::Scheduler::ScheduleGroup": _Kind("Name", "scheduler:{region}:{account}:schedule-group/{name}"),
}


class Resolver:
    """Values of one stack: `template` is plain CloudFormation, `parameters` the values given at deployment.

    Raises Unsupported, naming the place, for everything that it cannot resolve.
    """

    def __init__(self, template: Mapping[str, Any], parameters: Mapping[str, str], region: str, stack: str) -> None:
        self._resources: Mapping[str, Any] = template.get("Resources", {})
        self._conditions: Mapping[str, Any] = template.get("Conditions", {})
        self._mappings: Mapping[str, Any] = template.get("Mappings", {})
        self._values: dict[str, Any] = {
            "AWS::Region": region,
            "AWS::AccountId": ACCOUNT,
            "AWS::StackName": stack,
            "AWS::StackId": f"arn:aws:cloudformation:{region}:{ACCOUNT}:stack/{stack}/local",
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            **_parameter_values(template.get("Parameters", {}), parameters),
        }
        self._region = region
        self._stack = stack

    def resolve(self, value: Any) -> Any:
        """`value` with every intrinsic function replaced; keys that become `AWS::NoValue` are left out."""
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item is not _NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(function, argument)] = value.items()
            if function == "Ref" or function.startswith("Fn::"):
                return self._call(function, argument)
        resolved = {key: self.resolve(item) for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item is not _NO_VALUE}

    def condition(self, name: str) -> bool:
        if name not in self._conditions:
            raise Unsupported(f"condition {name} is not defined in the template")
        return bool(self._test(self._conditions[name]))

    def name(self, logical_id: str) -> str:
        """The physical name of a resource: its own, or `<stack>-<logical id>`."""
        resource = self._resource(logical_id)
        kind = _KINDS.get(resource["Type"])
        explicit = resource.get("Properties", {}).get(kind.name_property) if kind else None
        return str(self.resolve(explicit)) if explicit else f"{self._stack}-{logical_id}"

    def arn(self, logical_id: str) -> str:
        kind = _KINDS.get(self._resource(logical_id)["Type"])
        if kind is None:
            raise Unsupported(f"{logical_id}: the ARN of a {self._resource(logical_id)['Type']} is not known here")
        return "arn:aws:" + kind.arn.format(region=self._region, account=ACCOUNT, name=self.name(logical_id))

    def _resource(self, logical_id: str) -> Mapping[str, Any]:
        if logical_id not in self._resources:
            raise Unsupported(f"{logical_id} is neither a parameter nor a resource of the template")
        resource: Mapping[str, Any] = self._resources[logical_id]
        return resource

    def _call(self, function: str, argument: Any) -> Any:
        match function:
            case "Ref":
                return self._ref(argument)
            case "Fn::GetAtt":
                logical_id, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
                return self._attribute(logical_id, attribute)
            case "Fn::Sub":
                return self._substitute(argument)
            case "Fn::Join":
                separator, parts = argument
                return separator.join(map(str, self.resolve(parts)))
            case "Fn::Split":
                separator, text = argument
                return self.resolve(text).split(separator)
            case "Fn::Select":
                index, items = argument
                return self.resolve(items)[int(self.resolve(index))]
            case "Fn::If":
                name, then, otherwise = argument
                return self.resolve(then if self.condition(name) else otherwise)
            case "Fn::FindInMap":
                mapping, first, second = (self.resolve(part) for part in argument)
                return self._mappings[mapping][first][second]
        raise Unsupported(f"{function} is not resolved by the local stack")

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NO_VALUE
        if name in self._values:
            return self._values[name]
        resource = self._resource(name)
        if resource["Type"] == "AWS::SQS::Queue":
            return f"https://sqs.{self._region}.amazonaws.com/{ACCOUNT}/{self.name(name)}"
        if resource["Type"] == "AWS::SNS::Topic":
            return self.arn(name)
        if resource["Type"] == "AWS::Lambda::Alias":
            properties = resource["Properties"]
            function = str(self.resolve(properties["FunctionName"])).rsplit(":", 1)[-1]
            alias = self.resolve(properties["Name"])
            return f"arn:aws:lambda:{self._region}:{ACCOUNT}:function:{function}:{alias}"
        return self.name(name)

    def _attribute(self, logical_id: str, attribute: str) -> str:
        if attribute == "Arn":
            return self.arn(logical_id)
        if attribute == "QueueUrl":
            return str(self._ref(logical_id))
        if attribute in ("QueueName", "Name", "TopicName"):
            return self.name(logical_id)
        raise Unsupported(f"!GetAtt {logical_id}.{attribute} is not resolved by the local stack")

    def _substitute(self, argument: Any) -> str:
        text, variables = (argument, {}) if isinstance(argument, str) else argument

        def replace(match: re.Match[str]) -> str:
            name = match[1].strip()
            if name.startswith("!"):  # ${!Literal} is written out as ${Literal}
                return "${" + name[1:] + "}"
            if name in variables:
                return str(self.resolve(variables[name]))
            if "." in name:
                return self._attribute(*name.split(".", 1))
            return str(self._ref(name))

        return _PLACEHOLDER.sub(replace, text)

    def _test(self, condition: Any) -> Any:
        [(function, argument)] = condition.items()
        match function:
            case "Condition":
                return self.condition(argument)
            case "Fn::Equals":
                left, right = map(self.resolve, argument)
                return left == right
            case "Fn::Not":
                return not self._test(argument[0])
            case "Fn::And":
                return all(map(self._test, argument))
            case "Fn::Or":
                return any(map(self._test, argument))
        raise Unsupported(f"{function} is not evaluated by the local stack")


_NO_VALUE = object()


def _parameter_values(declared: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """Every parameter with its value; those of a list type are split."""
    unknown = sorted(set(given) - set(declared))
    if unknown:
        raise Unsupported(f"the template has no parameter {', '.join(unknown)}")
    missing = sorted(name for name, spec in declared.items() if name not in given and "Default" not in spec)
    if missing:
        raise Unsupported(f"parameters without a value: {', '.join(missing)}")
    values: dict[str, Any] = {}
    for name, spec in declared.items():
        value = str(given.get(name, spec.get("Default")))
        values[name] = value.split(",") if "List" in spec.get("Type", "String") else value
    return values
