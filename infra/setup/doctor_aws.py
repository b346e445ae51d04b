"""Is the stack well? Its queues, its alarms, and whether anybody hears of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from infra.meetings.doctor import Check

Client = Callable[[str], Any]
"""A boto3 client by the name of the service."""

_QUEUE, _DEAD_LETTERS = "QueueUrl", "DeadLettersUrl"
"""How the outputs end that say where they are."""


def examine_stack(outputs: Mapping[str, str], stage: str, client: Client) -> Iterator[Check]:
    """`outputs` of the stack and its parameter Stage."""
    yield from _tried("queues", lambda: _queues(outputs, client))
    yield from _tried("alarms", lambda: _alarms(stage, client))
    yield from _tried("alarm mail", lambda: _mail(outputs.get("AlarmTopicArn"), client))


def _tried(name: str, checks: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield from checks()
    except (ClientError, BotoCoreError) as error:
        code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
        yield Check(name, False, f"cannot be asked ({code}): use credentials that may read it")


def _queues(outputs: Mapping[str, str], client: Client) -> Iterator[Check]:
    lying = {key: _length(url, client) for key, url in sorted(outputs.items()) if key.endswith((_QUEUE, _DEAD_LETTERS))}
    for key, count in lying.items():
        if count and key.endswith(_DEAD_LETTERS):
            remedy = "read their attribute `reason`, mend, then replay them (docs/operations.md)"
            yield Check(f"dead letters of {key.removesuffix(_DEAD_LETTERS)}", False, f"{count} lie there: {remedy}")
        elif count:
            words = f"{count} wait: look again in a minute, and at the alarms if they stay"
            yield Check(f"queue of {key.removesuffix(_QUEUE)}", None, words)
    if not any(lying.values()):
        yield Check("queues", True, f"{len(lying)} queues and dead letters are empty")


def _length(url: str, client: Client) -> int:
    name = "ApproximateNumberOfMessages"
    found = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[name])
    return int(found["Attributes"][name])


def _alarms(stage: str, client: Client) -> Iterator[Check]:
    prefix = f"conveyor-{stage}-"
    pages = client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=prefix)
    alarms = [alarm for page in pages for alarm in page["MetricAlarms"]]
    firing = [alarm for alarm in alarms if alarm["StateValue"] == "ALARM"]
    for alarm in firing:
        yield Check(f"alarm {alarm['AlarmName']}", False, " ".join(alarm.get("AlarmDescription", "").split()))
    if not alarms:
        yield Check("alarms", False, f"none begins with {prefix}: was the stack deployed to the end?")
    elif not firing:
        yield Check("alarms", True, f"none of {len(alarms)} fires")


def _mail(topic: str | None, client: Client) -> Iterator[Check]:
    """A subscription counts once its mail was answered; until then it has no ARN (SNS API: Subscription)."""
    found = client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] if topic else []
    confirmed = [each for each in found if each["SubscriptionArn"].startswith("arn:")]
    if confirmed:
        yield Check("alarm mail", True, f"{len(confirmed)} subscribed")
    elif found:
        yield Check("alarm mail", False, "nobody has confirmed the subscription: follow the link in the mail of AWS")
    else:
        yield Check("alarm mail", None, "nobody is told of alarms: deploy with AlarmEmail=<address>, or subscribe")
