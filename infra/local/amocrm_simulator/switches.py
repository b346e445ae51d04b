"""Where amoCRM is known to behave in more than one way, or to misbehave: one switch each, with its default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Switches:
    """Change them while the world runs with `world.switch(name=value)`. Shares are 0 … 1, times are seconds."""

    # Limits (amoCRM API: limits)
    per_token_per_second: int = 7
    per_account_per_second: int = 50
    html_429: bool = False
    block_after: int = 100
    """Excesses within an hour after which all get the 403 page until `world.unblock()`; amoCRM names no number."""

    # Bad weather
    down: bool = False
    """Every request gets nginx's 502 page."""
    storm: bool = False
    """Every request gets 429, whatever its rate; such answers do not count towards the block."""
    batch_504_share: float = 0.2
    """For batches of more than 50 items."""
    written_before_504: float = 0.5
    """How often such a batch has been written in spite of the 504."""
    lost_answer_share: float = 0.0
    """Any write, done but answered with 504."""

    # Reading
    filters_enabled: bool = True
    """Off: `filter[…]` of leads, contacts and companies is silently ignored."""
    list_lag: tuple[float, float] = (0.0, 0.0)
    """Filtered lists and `query` show the state of so long ago (from … to)."""
    strict_query: bool = False
    """`query` compares phones as they were typed instead of their digits."""
    missing_as_404: bool = False
    """A missing lead, contact, company, task, note or event: 404 instead of 204."""
    deleted_leads_visible: bool = False
    """GET of one deleted lead shows it with is_deleted instead of 204."""

    # Writing
    duplicate_control: bool = False
    """«Контроль дублей» for /leads/complex, by phone of the contact."""
    refuse_inactive_owner: bool = True
    """400 when a switched-off user is to become responsible; off: taken without a word."""

    # Неразобранное and merging: which lead hooks come along
    unsorted_lead_hooks: tuple[str, ...] = ()
    """Of creation: "update" (seen in 2023), "add"."""
    accept_lead_hooks: tuple[str, ...] = ("status", "update")
    """Also possible: (), "add", "responsible"."""
    decline_lead_hooks: tuple[str, ...] = ()
    """Also possible: "delete"."""
    repeated_accept: Literal[404, 400] = 404
    """Answer to accepting or declining what is no longer there: 404 or 400."""
    merge_hooks: bool = True

    # Bodies of webhooks
    hook_author: Literal["writer", "zero", "off"] = "writer"
    """`modified_user_id` after writes through the API: "writer", "zero"; "off": such writes fire no hooks."""
    account_block: Literal["first", "last", "absent", "without_id"] = "first"
    """Where the account block stands: "first", "last", "absent", "without_id"."""
    combined_bodies: bool = False
    """All actions of one change in one body instead of one POST each."""
    multi_entity_bodies: bool = False
    """All entities of a batch in one body, [0], [1] …, instead of one POST each."""
    sticky_old_status: bool = True
    """`old_status_id` stays in later events of the lead."""

    # Delivery of webhooks
    hook_delay: tuple[float, float] = (0.0, 0.0)
    hook_duplicate_share: float = 0.0
    hook_drop_share: float = 0.0
    hook_reorder: bool = False
    hook_burst: int = 0
    """Hold deliveries back until so many wait (30 s at most)."""
    hook_switch_off: bool = True
    """The rule of more than 100 bad answers in 2 hours."""
