"""Entry point of the Lambda `meet_scheduler`: its queue in, the messages that must come back out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from functions.meet_scheduler import bootstrap
from functions.shared import runtime
from functions.shared.inbox import read_batch


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """An SQS batch; answers with partial batch failures."""
    deadline = runtime.current().clock.now() + timedelta(milliseconds=context.get_remaining_time_in_millis())
    back = bootstrap.meetings().handle(read_batch(event), deadline)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in back]}
