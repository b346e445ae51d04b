"""The credentials of sources as one document, and where it lies: SSM, beside the key of the hashes (docs/intake.md)."""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from functions.activity_intake.credentials import EVENTS_CREDENTIALS, LIVE_SECRETS, read_credentials
from functions.activity_intake.normalising import LONGEST_SOURCE, OURS
from functions.shared.adapters.aws.secrets import Parameters
from functions.shared.errors import BadInput, Contended
from functions.shared.handle_hash import IDENTITY_KEY

SECRET_BYTES = 32
NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")

Known = Mapping[str, Mapping[str, list[str]]]
"""By source its `tokens` and `secrets`, the newest first."""


@dataclass(frozen=True)
class Fresh:
    """What a source proves itself with from now on; shown once and stored nowhere else."""

    token: str = field(repr=False)
    secret: str = field(repr=False)

    @classmethod
    def drawn(cls) -> Fresh:
        secret = base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
        return cls(secrets.token_urlsafe(SECRET_BYTES), f"whsec_{secret}")


def added(known: Known, name: str, fresh: Fresh) -> Known:
    """Raises BadInput."""
    if not NAME.fullmatch(name) or len(name) > LONGEST_SOURCE or name == OURS:
        raise BadInput(f"{name!r} names no source: Latin letters, digits, - and _, as in turnstile; {OURS} is taken")
    if name in known:
        raise BadInput(f"{name} is there already: `conveyor sources rotate {name}` gives it new credentials")
    return {**known, name: {"tokens": [fresh.token], "secrets": [fresh.secret]}}


def rotated(known: Known, name: str, fresh: Fresh | None) -> Known:
    """The new ones beside the newest of the old; without new ones the old ones end. Raises BadInput."""
    standing = _of(known, name)
    added = {"tokens": [fresh.token], "secrets": [fresh.secret]} if fresh else {}
    kept = LIVE_SECRETS if fresh else 1
    both = {kind: [*added.get(kind, []), *standing.get(kind, [])][:kept] for kind in ("tokens", "secrets")}
    return {**known, name: both}


def removed(known: Known, name: str) -> Known:
    """Raises BadInput."""
    _of(known, name)
    return {source: each for source, each in known.items() if source != name}


def _of(known: Known, name: str) -> Mapping[str, list[str]]:
    if name not in known:
        there = f"there are {', '.join(sorted(known))}" if known else "there is none yet"
        raise BadInput(f"no source is called {name}: {there}")
    return known[name]


class CredentialStore:
    """SSM parameters below `prefix`; `ssm` gives the boto3 client."""

    def __init__(self, ssm: Callable[[], Any], prefix: str) -> None:
        self._ssm = ssm
        self._prefix = prefix
        self._parameters = Parameters(ssm, prefix)

    def known(self) -> Known:
        """Raises NotConfigured for what nobody can read, RetryLater."""
        document = self._parameters.read(EVENTS_CREDENTIALS).get(EVENTS_CREDENTIALS, "{}")
        read_credentials(document)
        known: Known = json.loads(document)
        return known

    def change(self, edit: Callable[[Known], Known]) -> None:
        """Raises what `edit` raises, and Contended where somebody else changed it meanwhile: his change is lost."""
        before = self._version()
        document = json.dumps(edit(self.known()), separators=(",", ":"))
        read_credentials(document)
        # a dozen sources outgrow the 4 KB of a standard parameter: then AWS makes it an advanced one
        stored = self._put(EVENTS_CREDENTIALS, document, Overwrite=True, Tier="Intelligent-Tiering")
        if stored["Version"] != before + 1:
            raise Contended("somebody else changed the sources at the same moment: compare `conveyor sources list`")

    def make_identity_key(self) -> bool:
        """Make it if there is none, never replace it. Whether it was made."""
        try:
            self._put(IDENTITY_KEY, secrets.token_hex(SECRET_BYTES), Overwrite=False)
        except self._ssm().exceptions.ParameterAlreadyExists:
            return False
        return True

    def _put(self, name: str, value: str, **how: Any) -> Any:
        return self._ssm().put_parameter(Name=f"{self._prefix}/{name}", Value=value, Type="SecureString", **how)

    def _version(self) -> int:
        answer = self._ssm().get_parameters(Names=[f"{self._prefix}/{EVENTS_CREDENTIALS}"])
        return max((int(each["Version"]) for each in answer["Parameters"]), default=0)
