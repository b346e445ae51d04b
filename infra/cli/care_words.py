"""What stopped a rule, in words."""

from __future__ import annotations

_WORDS = {
    "fire": "nothing stands in its way: its task is set",
    "watermark": "nobody knows yet: a feed that it needs has told nothing, or is silent",
    "condition": "the condition is not true",
    "returned": "the client has come back since",
    "identity": "it has fired for this stretch already",
    "re_entry": "it fires once for a client, and has",
    "backfill": "it was true before the rule was, and such are left alone (backfill)",
    "guards": "only_if or unless holds it back",
    "freeze": "the client is frozen",
    "cooldown": "it fired not long ago (cooldown)",
    "cap": "the client has had a task not long ago (cap per client)",
    "window": "it is not the client's calling hours",
    "late": "it came too late (late)",
    "arm": "the client belongs to the hold-out, which gets no tasks",
    "outbox": "the rule was taken out before its task was set",
    "no_contact": "the contact is gone",
}


def gate_words(gate: str) -> str:
    """Of a gate or a status; one that is not known says its own name."""
    return _WORDS.get(gate, gate)
