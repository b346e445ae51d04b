"""The templates as CloudFormation will see them: SAM expanded, local paths replaced, nothing deployed."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parents[2]
Template = dict[str, Any]
Change = Callable[[Template], None]

PARAMETERS = {"AmoCrmBaseUrl": "https://example.amocrm.ru", "HookToken": "t" * 32}


@dataclass(frozen=True)
class Stack:
    """`source` is template.yaml as written, `expanded` plain CloudFormation, `nested` infra/observability.yaml."""

    source: Template
    expanded: Template
    nested: Template

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """Properties by logical id of all expanded resources of a type such as AWS::SQS::Queue."""
        found = self.expanded["Resources"].items()
        return {name: resource.get("Properties", {}) for name, resource in found if resource["Type"] == kind}

    def functions(self) -> dict[str, dict[str, Any]]:
        return self.of_type("AWS::Lambda::Function")

    def alarms(self) -> dict[str, dict[str, Any]]:
        """Of both templates."""
        nested = {
            name: resource["Properties"]
            for name, resource in self.nested["Resources"].items()
            if resource["Type"] == "AWS::CloudWatch::Alarm"
        }
        return self.of_type("AWS::CloudWatch::Alarm") | nested

    def passed_to_nested(self, value: Any) -> Any:
        """A value of the nested template with references to its parameters replaced by what is passed for them."""
        passed = self.expanded["Resources"]["Observability"]["Properties"]["Parameters"]
        return passed.get(value["Ref"], value) if isinstance(value, dict) and "Ref" in value else value


def load(path: Path) -> Template:
    """YAML with CloudFormation's short forms (`!Ref`) written out."""
    template: Template = yaml_parse(path.read_text(encoding="utf-8"))
    return template


@cache
def _sources() -> tuple[Template, Template]:
    return load(ROOT / "template.yaml"), load(ROOT / "infra" / "observability.yaml")


def build(change: Change | None = None) -> Stack:
    """The stack, or the stack after `change` has spoilt a copy of its sources ({"main": …, "nested": …})."""
    main, nested = copy.deepcopy(_sources())
    if change:
        change({"main": main, "nested": nested})
    return Stack(source=main, expanded=_expanded(main), nested=nested)


def _expanded(source: Template) -> Template:
    template = copy.deepcopy(source)
    template["Globals"]["Function"]["CodeUri"] = "s3://bucket/functions.zip"
    region = boto3.Session(region_name="eu-central-1")  # asked for its partition only, nothing is called
    translator = Translator({}, Parser(), boto_session=region)
    expanded: Template = translator.translate(template, PARAMETERS)
    return expanded


_OWN_ARN = re.compile(r"arn:\$\{AWS::Partition\}:(\w+):\$\{AWS::Region\}:\$\{AWS::AccountId\}:")
_ARN_OF = re.compile(r"\$\{(\w+)\.Arn\}")


def named(value: Any) -> str:
    """A reference as people say it: the logical id for a resource, its ARN or its name, text for everything else."""
    if isinstance(value, dict) and len(value) == 1:
        [(function, argument)] = value.items()
        if function == "Ref":
            return f"${{{argument}}}" if argument.startswith("AWS::") else str(argument)
        if function == "Fn::GetAtt":
            return str(argument[0] if isinstance(argument, list) else argument.split(".")[0])
        if function == "Fn::Sub":
            return _ARN_OF.sub(r"\1", _OWN_ARN.sub(r"\1:", argument))
    return str(value)


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def walk(value: Any) -> Iterator[Any]:
    """Every dict, list and scalar inside a value, itself included."""
    yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(child)
