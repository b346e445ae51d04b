"""Event patterns match what EventBridge's user guide and Event Ruler's README say they match, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from infra.local.intrinsics import Unsupported
from infra.local.patterns import check_pattern, matches

INSTANCE = "arn:aws:ec2:us-east-1:123456789012:instance/i-000000aaaaaa00000"
EVENT = {
    "version": "0",
    "detail-type": "EC2 Instance State-change Notification",
    "source": "aws.ec2",
    "time": "2017-10-02T16:24:49Z",
    "resources": [INSTANCE],
    "detail": {
        "c-count": 5,
        "d-count": 3,
        "x-limit": 301.8,
        "instance-id": "i-000000aaaaaa00000",
        "state": "running",
        "owner": "",
        "error": None,
        "final": False,
        "ports": [22, 443],
        "none": [],
        "grid": [[1, 2], [3]],
        "cpu": {"cores": 4},
        "disks": [{"name": "a", "size": 1}, {"name": "b", "size": 2}],
    },
}
"""Event Ruler's own example with some fields more."""


@pytest.mark.parametrize(
    "pattern",
    [
        {"detail-type": ["EC2 Instance State-change Notification"], "resources": [INSTANCE]},
        {"detail": {"state": ["initializing", "running"]}},
        {"resources": ["arn:other", INSTANCE]},
        {"time": [{"prefix": "2017-10-02"}]},
        {"source": [{"suffix": "ec2"}]},
        {"detail": {"state": [{"anything-but": "initializing"}]}},
        {"detail": {"state": [{"anything-but": ["stopped", "overloaded"]}]}},
        {"detail": {"x-limit": [{"anything-but": [100, 200, 300]}]}},
        {
            "detail": {
                "c-count": [{"numeric": [">", 0, "<=", 5]}],
                "d-count": [{"numeric": ["<", 10]}],
                "x-limit": [{"numeric": ["=", 3.018e2]}],
            }
        },
        {"detail": {"c-count": [{"exists": True}], "e-count": [{"exists": False}]}},
        {"detail": {"cpu": [{"exists": False}]}},  # only leaves exist
        {"detail": {"none": [{"exists": False}]}},
        {"detail": {"none": {"deeper": [{"exists": False}]}}},
        {"detail": {"owner": [""], "error": [None], "final": [False]}},
        {"detail": {"error": [{"exists": True}]}},
        {"detail": {"ports": [80, {"numeric": [">", 400]}]}},
        {"detail": {"grid": [2]}},
        {"detail": {"disks": {"name": ["b"], "size": [2]}}},
        {"source": ["aws.ec2"], "$or": [{"account": ["1"]}, {"version": ["0"], "detail": {"state": ["running"]}}]},
        {"detail": {"$or": [{"c-count": [{"numeric": [">", 9]}]}, {"d-count": [{"numeric": ["<", 10]}]}]}},
        {"detail": {"c-count": [5.0]}},
    ],
    ids=str,
)
def test_these_want_the_event(pattern: dict[str, Any]) -> None:
    check_pattern(pattern, "Rule")
    assert matches(pattern, EVENT)


@pytest.mark.parametrize(
    "pattern",
    [
        {"source": ["aws.ecs"]},
        {"source": ["aws.ec2"], "detail": {"state": ["stopped"]}},  # all fields must match
        {"detail": {"STATE": ["running"]}},
        {"source": [{"prefix": "ec2"}]},
        {"source": [{"suffix": "aws"}]},
        {"detail": {"c-count": [{"prefix": "5"}]}},  # prefixes are for texts
        {"detail": {"state": [{"anything-but": ["running", "stopped"]}]}},
        {"detail": {"e-count": [{"anything-but": [1]}]}},  # what is absent is not something else
        {"detail": {"c-count": ["5"]}},
        {"detail": {"c-count": [{"numeric": [">", 0, "<", 5]}]}},
        {"detail": {"state": [{"numeric": [">", 0]}]}},
        {"detail": {"final": [{"numeric": ["=", 0]}]}},
        {"detail": {"final": [0]}},
        {"detail": {"final": ["false"]}},
        {"detail": {"error": ["null"]}},
        {"detail": {"e-count": [None]}},
        {"detail": {"none": [{"exists": True}]}},
        {"detail": {"none": [None, {"numeric": [">", 0]}]}},
        {"detail": {"cpu": [{"exists": True}]}},
        {"detail": {"ports": [{"numeric": [">", 443]}]}},
        {"detail": {"disks": {"name": ["b"], "size": [1]}}},  # both of one element
        {"source": ["aws.ec2"], "$or": [{"account": ["1"]}, {"version": ["0"], "region": ["x"]}]},
        {"detail": {"state": {"deeper": [1]}}},
    ],
    ids=str,
)
def test_these_do_not(pattern: dict[str, Any]) -> None:
    check_pattern(pattern, "Rule")
    assert not matches(pattern, EVENT)


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ({}, "Rule: a pattern is an object"),
        ({"detail": {}}, "Rule.detail: a pattern is an object"),
        ({"source": "aws.ec2"}, "Rule.source: must be an object, or an array"),
        ({"source": []}, "with at least one value"),
        ({"source": [["aws.ec2"]]}, "is neither a value nor one match expression"),
        ({"source": [{"prefix": "a", "suffix": "b"}]}, "is neither a value nor one match expression"),
        ({"source": [{"prefx": "a"}]}, "is no match expression"),
        ({"source": [{"prefix": 5}]}, "is no match expression"),
        ({"source": [{"exists": "yes"}]}, "is no match expression"),
        ({"source": [{"anything-but": [1, "a"]}]}, "is no match expression"),
        ({"source": [{"anything-but": []}]}, "is no match expression"),
        ({"source": [{"numeric": ["!", 1]}]}, "is no match expression"),
        ({"source": [{"numeric": [">"]}]}, "is no match expression"),
        ({"source": [{"numeric": [">", "1"]}]}, "is no match expression"),
        ({"source": [{"numeric": ["<", 5, ">", 1]}]}, "is no match expression"),
        ({"source": [{"cidr": "10.0.0.0/24"}]}, "this stack plays"),
        ({"$or": [{"source": ["a"]}]}, r"Rule.\$or: wants two alternatives"),
        ({"$or": [{"source": ["a"]}, {"source": "b"}]}, r"Rule.\$or.source"),
    ],
    ids=str,
)
def test_what_eventbridge_refuses_or_is_not_played_is_named(pattern: dict[str, Any], told: str) -> None:
    with pytest.raises(Unsupported, match=told):
        check_pattern(pattern, "Rule")
