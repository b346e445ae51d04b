"""Where Google is known to behave in more than one way, or to misbehave: one switch each, with its default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class GoogleSwitches:
    """Change them while the world runs with `world.switch(name=value)`. Shares are 0 … 1, times are seconds."""

    # Links
    link_delay: float = 0.0
    """A conference is pending for so long."""
    link_fails: bool = False
    """A conference that was asked for ends in `failure`."""
    meet_allowed: bool = True
    """Off: the domain does not allow Meet, and asking for it is an invalid conference type."""

    # Not established: clients have to cope with both
    recording_without_licence: Literal[200, 403] = 200
    """Answer to switching recording on in an edition that cannot record; with 200 nothing is recorded."""
    revives_tombstones: bool = False
    """PATCH of `status: confirmed` makes a deleted event live again."""
    members_of_minted_spaces: Literal[403, 200] = 403
    meet_for_consumers: bool = True
    put_with_conference: Literal[400, 200] = 400
    colleagues_event_types: bool = False
    """Who may see only busy times of a colleague sees the type of his events too."""
    keeps_answers: bool = False
    """A guest who is sent again without an answer keeps the one he gave."""
    tombstone_put: Literal[403, 200] = 403

    # Limits
    per_user_per_minute: int = 600
    spaces_per_minute: int = 10
    external_invitations: int | None = None
    """So many invitations to outside addresses, then 403 quotaExceeded for `limit_hours`."""
    limit_hours: float = 6.0
    rate_status: Literal[403, 429] = 403

    # Bad weather
    lost_answer_share: float = 0.0
    """Any write, done but never answered."""
    rate_share: float = 0.0
    """Refused with rateLimitExceeded."""
    error_share: float = 0.0
    """503 backendError; writes are not done then."""
    hidden_after_create: float = 0.0
    """A new event is not found for so long, neither to be read nor to be changed, though its id is taken."""
    down: bool = False

    # Recordings
    recording_delay: float = 600.0
    """From the end of a conference until the file is there."""
    token_life: int = 3599
