"""SSM parameters of the installation, for reading."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from functions.shared.errors import RetryLater


class Parameters:
    """What lies below `prefix`; `ssm` gives the boto3 client, and is called on first use."""

    def __init__(self, ssm: Callable[[], Any], prefix: str) -> None:
        self._ssm = ssm
        self._prefix = prefix.rstrip("/")

    def read(self, *names: str) -> dict[str, str]:
        """Decrypted values by name; missing parameters are missing. Raises RetryLater if SSM cannot be asked."""
        paths = {f"{self._prefix}/{name}": name for name in names}
        answer = self._call("get_parameters", Names=list(paths), WithDecryption=True)
        return {paths[parameter["Name"]]: parameter["Value"] for parameter in answer["Parameters"]}

    def _call(self, operation: str, **request: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(self._ssm(), operation)(**request)
        except ClientError as error:
            raise RetryLater(f"SSM {operation}: {error.response['Error']['Code']}") from error
        except BotoCoreError as error:
            raise RetryLater(f"SSM {operation}: {type(error).__name__}") from error
