"""Secrets in SSM for the people who set Conveyor up: what AWS refuses is told with the permission that is missing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from functions.shared.errors import BadInput

_NOT_AUTHORISED = re.compile(r"not authorized to perform: ([a-z0-9]+:[A-Za-z]+)")

_DENIED = frozenset({"AccessDeniedException", "AccessDenied", "UnauthorizedOperation"})

_OTHERS = {
    "InvalidKeyId": "the key of KMS that encrypts it cannot be used: it is disabled, or not in this region",
    "ParameterLimitExceeded": "the account has no room for another parameter: delete some, or ask AWS for more",
    "ThrottlingException": "AWS is asked too often: try again in a minute",
    "TooManyUpdates": "somebody else writes it at this moment: try again in a minute",
}
"""By code of AWS's answer. Its text is never shown: it may repeat what was sent."""


@dataclass(frozen=True)
class Stored:
    """`version` counts how often it was written."""

    name: str
    changed_at: datetime
    version: int


class SecretShelf:
    """The SecureStrings of one installation; `ssm` gives the boto3 client. Raises BadInput where AWS refuses."""

    def __init__(self, ssm: Callable[[], Any], stage: str) -> None:
        self._ssm = ssm
        self.prefix = f"/conveyor/{stage}"

    def path(self, name: str) -> str:
        return f"{self.prefix}/{name}"

    def put(self, name: str, value: str) -> int:
        """Its version: 1 is the first."""
        return self._put(name, value, overwrite=True)

    def put_once(self, name: str, value: str) -> bool:
        """False, and nothing is written, where it is there already."""
        try:
            self._put(name, value, overwrite=False)
        except self._ssm().exceptions.ParameterAlreadyExists:
            return False
        return True

    def stored(self) -> list[Stored]:
        """What lies directly below the prefix, by name."""
        filters = [{"Key": "Path", "Option": "OneLevel", "Values": [self.prefix]}]
        with _told("ssm:DescribeParameters", "*"):
            pages = self._ssm().get_paginator("describe_parameters").paginate(ParameterFilters=filters)
            found = [parameter for page in pages for parameter in page["Parameters"]]
        return sorted((_stored(each) for each in found), key=lambda each: each.name)

    def _put(self, name: str, value: str, *, overwrite: bool) -> int:
        path = self.path(name)
        with _told("ssm:PutParameter", f"parameter{path}"):
            answer = self._ssm().put_parameter(
                Name=path,
                Value=value,
                Type="SecureString",
                Overwrite=overwrite,
                # a long OAuth pair outgrows the 4 KB of a standard parameter: then AWS makes it an advanced one
                Tier="Intelligent-Tiering",
            )
        return int(answer["Version"])


def _stored(parameter: dict[str, Any]) -> Stored:
    name = parameter["Name"].rpartition("/")[2]
    return Stored(name, parameter["LastModifiedDate"], int(parameter.get("Version", 1)))


@contextmanager
def _told(permission: str, resource: str) -> Iterator[None]:
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in _DENIED:
            said = _NOT_AUTHORISED.search(error.response["Error"].get("Message", ""))
            missing = said[1] if said else permission
            raise BadInput(f"AWS does not allow it: {missing} on {resource} is missing in your permissions") from None
        if code in _OTHERS:
            raise BadInput(f"AWS: {_OTHERS[code]}") from None
        raise _without_text(error) from None


def _without_text(error: Any) -> Any:
    """The same error for who knows it by its code, with nothing in it of what was sent."""
    code = error.response.get("Error", {}).get("Code", "")
    return type(error)({"Error": {"Code": code, "Message": "no more is told"}}, error.operation_name)
