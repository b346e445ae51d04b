"""AWS SAM's part: from template.yaml to plain CloudFormation, and where each function's code lies."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.local.intrinsics import Unsupported

_UPLOADED = "s3://local/code.zip"
"""samtranslator takes uploaded code only; nothing reads this address."""


def load(path: Path) -> dict[str, Any]:
    """The template as it stands, with `!Ref` and the like in their long form."""
    from samtranslator.yaml_helper import yaml_parse

    source: dict[str, Any] = yaml_parse(path.read_text(encoding="utf-8"))
    return source


def code_roots(source: Mapping[str, Any], folder: Path) -> dict[str, Path]:
    """Where each function's handler is imported from. With ParentPackageMode the packages above CodeUri are kept,
    so the import starts at the template's folder."""
    shared = source.get("Globals", {}).get("Function", {}).get("CodeUri")
    roots = {}
    for logical_id, resource in source["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            code = resource["Properties"].get("CodeUri", shared)
            if not isinstance(code, str):
                raise Unsupported(f"{logical_id}: CodeUri must be a local folder")
            keeps_parents = "ParentPackageMode" in resource.get("Metadata", {}).get("BuildProperties", {})
            roots[logical_id] = folder if keeps_parents else folder / code
    return roots


def expand(source: Mapping[str, Any], parameters: Mapping[str, str], region: str) -> dict[str, Any]:
    """What SAM makes of the template at deployment."""
    from boto3.session import Session
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator

    document = copy.deepcopy(dict(source))
    document.get("Globals", {}).get("Function", {}).pop("CodeUri", None)
    for resource in document["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = _UPLOADED
    session = Session(region_name=region)
    translator = Translator({}, Parser(), boto_session=session)
    expanded: dict[str, Any] = translator.translate(document, parameter_values=dict(parameters))
    return expanded
