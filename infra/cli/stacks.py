"""`--stack NAME`: what a deployed stack says of itself instead of a handful of options.

Every command that works on the table gets the option, see `at_stack`. What is given besides it, as an option or in the
environment, counts before what the stack says.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any

import typer

from functions.shared.adapters.amocrm.tokens import LONG_LIVED, OAUTH
from functions.shared.adapters.aws.secrets import Parameters
from functions.shared.errors import NotConfigured
from infra.cli.records import explained

StackName = Annotated[
    str | None,
    typer.Option(
        "--stack",
        envvar="CONVEYOR_STACK",
        help="The deployed stack: its outputs and secrets take the place of the other options.",
    ),
]


@dataclass(frozen=True)
class Stack:
    """A deployed stack. `parameters` are those it was deployed with; secret ones are masked by AWS."""

    name: str
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]
    endpoint: str | None = None

    @property
    def stage(self) -> str:
        return self.parameters.get("Stage", "prod")

    @property
    def secrets(self) -> str:
        """Where its secrets lie in SSM."""
        return f"/conveyor/{self.stage}"

    def output(self, key: str) -> str:
        """Raises NotConfigured."""
        if key not in self.outputs:
            raise NotConfigured(f"stack {self.name} has no output {key}: is it Conveyor's, and deployed to the end?")
        return self.outputs[key]

    def amocrm_token(self) -> str:
        """amoCRM's token that the functions use. Raises NotConfigured, and RetryLater if SSM cannot be asked."""
        found = Parameters(lambda: aws_client("ssm", self.endpoint), self.secrets).read(LONG_LIVED, OAUTH)
        if LONG_LIVED in found:
            return found[LONG_LIVED].strip()
        if OAUTH in found:
            return str(json.loads(found[OAUTH])["access_token"])
        raise NotConfigured(f"no amoCRM token in {self.secrets}: `conveyor secrets set {LONG_LIVED}`, or give --token")


_ANSWERS: dict[str, Callable[[Stack], str]] = {
    "table": lambda stack: stack.output("TableName"),
    "queue_url": lambda stack: stack.output("CareQueueUrl"),
    "base_url": lambda stack: stack.parameters["AmoCrmBaseUrl"],
    "token": Stack.amocrm_token,
    "secrets": lambda stack: stack.secrets,
    "stage": lambda stack: stack.stage,
}
"""What a stack answers to an option that nobody gave, by the name of the command's parameter."""


def find_stack(name: str, endpoint: str | None = None) -> Stack:
    """Raises NotConfigured where there is no such stack, and botocore's errors."""
    from botocore.exceptions import ClientError

    client = aws_client("cloudformation", endpoint)
    try:
        found = client.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        region = client.meta.region_name
        remedy = "compare --stack with `sam list stack-outputs`, and AWS_DEFAULT_REGION with its region"
        raise NotConfigured(f"there is no stack {name} in {region}: {remedy}") from error
    outputs = {row["OutputKey"]: row["OutputValue"] for row in found.get("Outputs", [])}
    parameters = {row["ParameterKey"]: row.get("ParameterValue", "") for row in found.get("Parameters", [])}
    return Stack(name, outputs, parameters, endpoint)


def at_stack(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command with --stack. One that does not work on the table, or looks the stack up itself, stays as it is."""
    signature = inspect.signature(command, eval_str=True)
    if "table" not in signature.parameters or "stack" in signature.parameters:
        return command
    asked = {name: signature.parameters[name].default for name in _ANSWERS if name in signature.parameters}

    @wraps(command)
    def run(*, stack: str | None = None, **given: Any) -> Any:
        with explained():
            given |= _answers(asked, given, stack)
        return command(**given)

    parameters = [
        parameter.replace(default=None if name in asked else parameter.default, kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in signature.parameters.items()
    ]
    option = inspect.Parameter("stack", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=StackName)
    run.__signature__ = signature.replace(parameters=[*parameters, option])  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in (*parameters, option)}
    return run


def _answers(asked: Mapping[str, Any], given: Mapping[str, Any], name: str | None) -> dict[str, Any]:
    """A value for each parameter of `asked` (name and default) that was not given: the stack's, else its default."""
    missing = [parameter for parameter in asked if given.get(parameter) is None]
    found = find_stack(name, given.get("endpoint")) if name and missing else None
    values = {parameter: _ANSWERS[parameter](found) if found else asked[parameter] for parameter in missing}
    for parameter, value in values.items():
        if value is inspect.Parameter.empty:
            option = f"--{parameter.replace('_', '-')}"
            raise typer.BadParameter("is missing: give it, or --stack NAME", param_hint=option)
    return values


def aws_client(service: str, endpoint: str | None) -> Any:
    import boto3

    return boto3.client(service, endpoint_url=endpoint)
