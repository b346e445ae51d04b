"""Permissions: what the template grants, what infra/statements.md explains and what the code uses are the same."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name

from tests.template.stack import ROOT, Stack, as_list, build, named

Statement = tuple[str, str, str, str, str]
"""(Sid, effect, actions, resources, condition), each as infra/statements.md writes it."""

BY_LAMBDA_ITSELF = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
"""The poller of the event source mapping works under the function's role."""


def written_statements() -> dict[str, set[Statement]]:
    found: dict[str, set[Statement]] = {}
    for section in _document().split("\n## ")[1:]:
        name, _, body = section.partition("\n")
        rows = [line.strip("|").split("|") for line in body.splitlines() if line.startswith("|")][2:]
        cells = [[cell.strip() for cell in row] for row in rows]
        assert all(reason for *_, reason in cells), f"{name}: a statement without its reason"
        found[name] = {(sid, effect, actions, on, condition) for sid, effect, actions, on, condition, _ in cells}
    return found


def written_trust() -> dict[str, str]:
    return dict(re.findall(r"## (\w+Role)\n\nAssumed by (.+)\.\n", _document()))


def _document() -> str:
    return (ROOT / "infra" / "statements.md").read_text(encoding="utf-8")


def granted_statements(stack: Stack) -> dict[str, set[Statement]]:
    """Of all roles and queue policies that template.yaml declares itself."""
    roles = {
        name: [statement for policy in role["Policies"] for statement in policy["PolicyDocument"]["Statement"]]
        for name, role in stack.of_type("AWS::IAM::Role").items()
        if name in stack.source["Resources"]
    }
    queues = {
        name: policy["PolicyDocument"]["Statement"] for name, policy in stack.of_type("AWS::SQS::QueuePolicy").items()
    }
    return {name: set(map(_rendered, statements)) for name, statements in (roles | queues).items()}


def granted_trust(stack: Stack) -> dict[str, str]:
    found = {}
    for name, role in stack.of_type("AWS::IAM::Role").items():
        if name in stack.source["Resources"]:
            [statement] = role["AssumeRolePolicyDocument"]["Statement"]
            condition = _condition(statement)
            assert statement["Action"] == "sts:AssumeRole"
            found[name] = f"`{statement['Principal']['Service']}`" + (f" only if `{condition}`" if condition else "")
    return found


def _rendered(statement: dict[str, Any]) -> Statement:
    actions = ", ".join(sorted(as_list(statement["Action"])))
    resources = ", ".join(sorted(map(named, as_list(statement["Resource"]))))
    return statement["Sid"], statement["Effect"], actions, resources, _condition(statement)


def _condition(statement: dict[str, Any]) -> str:
    conditions = statement.get("Condition", {}).items()
    parts = [
        f"{operator} {key} = {' or '.join(sorted(map(named, as_list(value))))}"
        for operator, pairs in conditions
        for key, value in pairs.items()
    ]
    return "; ".join(sorted(parts))


def test_granted_is_what_is_written_down() -> None:
    assert granted_statements(build()) == written_statements()


def test_roles_are_assumed_by_whom_the_document_says() -> None:
    assert granted_trust(build()) == written_trust()


@pytest.mark.parametrize(
    "role",
    [
        *("LeadsHookRole", "LeadsTickRole", "DistributeRole"),
        *("StagesHookRole", "StagesTickRole", "QualifyRouterRole"),
        *("EventsRole", "ActivityIntakeRole"),
        *("CareHookRole", "CareTickRole", "AftercareRole"),
        *("MeetHookRole", "MeetTickRole", "MeetRole"),
    ],
)
def test_a_permission_too_many_is_noticed(role: str) -> None:
    def add(templates: dict[str, Any]) -> None:
        policy = templates["main"]["Resources"][role]["Properties"]["Policies"][0]["PolicyDocument"]
        policy["Statement"][0]["Action"] = [*as_list(policy["Statement"][0]["Action"]), "sqs:PurgeQueue"]

    assert granted_statements(build(add))[role] != written_statements()[role]


def test_a_condition_left_out_is_noticed() -> None:
    def drop(templates: dict[str, Any]) -> None:
        resources = templates["main"]["Resources"]
        statements = resources["DistributeRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
        next(statement for statement in statements if "Condition" in statement).pop("Condition")
        resources["LeadsTickRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0].pop("Condition")

    spoilt = build(drop)
    assert granted_statements(spoilt) != written_statements()
    assert granted_trust(spoilt) != written_trust()


@pytest.mark.parametrize(
    ("role", "package"),
    [
        ("DistributeRole", "distribute"),
        ("QualifyRouterRole", "qualify_router"),
        ("ActivityIntakeRole", "activity_intake"),
        ("AftercareRole", "aftercare_triggers"),
        ("MeetRole", "meet_scheduler"),
    ],
)
def test_a_function_is_granted_what_its_code_calls_and_nothing_else(role: str, package: str) -> None:
    granted = {
        action
        for _, _, actions, _, _ in granted_statements(build())[role]
        for action in actions.split(", ")
        if action.split(":")[0] in ("dynamodb", "sqs", "events", "ssm")
    }
    assert granted - BY_LAMBDA_ITSELF == called_actions(package)


def called_actions(package: str) -> set[str]:
    """IAM actions of all operations that a function's code, with everything it imports from functions/, calls on boto3
    clients, directly or by name.

    A transaction is authorised by the actions inside it: {"Put": …} by PutItem.
    """
    operations = _operations()
    inside = {name: f"dynamodb:{name}Item" for name in ("Put", "Update", "Delete")}
    inside["ConditionCheck"] = "dynamodb:ConditionCheckItem"
    nodes = [node for path in _code_of(package) for node in ast.walk(_tree(path))]
    return {operations[word] for word in _words(nodes) if word in operations} | {
        inside[key] for key in _dict_keys(nodes) if key in inside
    }


def _code_of(package: str) -> set[Path]:
    """The handler's module and all that it leads to, imports inside of functions included."""
    found: set[Path] = set()
    wanted = [f"functions.{package}.handler"]
    while wanted:
        path = ROOT.joinpath(*wanted.pop().split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if path.exists() and path not in found:
            found.add(path)
            for node in ast.walk(_tree(path)):
                if isinstance(node, ast.ImportFrom) and node.module:
                    wanted += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
                if isinstance(node, ast.Import):
                    wanted += [alias.name for alias in node.names]
    return found


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _operations() -> dict[str, str]:
    """boto3 method → IAM action, for the services that we use. Transactions have no action of their own."""
    session = botocore.session.get_session()
    found = {}
    for service in ("dynamodb", "sqs", "events", "ssm"):
        for operation in session.get_service_model(service).operation_names:
            if not operation.startswith("Transact"):
                found[xform_name(operation)] = f"{service}:{operation.removesuffix('V2')}"
    return found


def _words(nodes: list[ast.AST]) -> set[str]:
    """Names of called methods, and texts that are handed to calls (as in `self._call("get_item", …)`)."""
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    methods = {call.func.attr for call in calls if isinstance(call.func, ast.Attribute)}
    texts = {arg.value for call in calls for arg in call.args if isinstance(arg, ast.Constant)}
    return methods | {text for text in texts if isinstance(text, str)}


def _dict_keys(nodes: list[ast.AST]) -> set[object]:
    dicts = [node for node in nodes if isinstance(node, ast.Dict)]
    return {key.value for node in dicts for key in node.keys if isinstance(key, ast.Constant)}
