"""What the template tells a function through its environment, parsed once, in bootstrap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from functions.shared.errors import NotConfigured


@dataclass(frozen=True)
class Settings:
    """`queue_url` is the function's own door; `secrets_prefix` the SSM path below which the amoCRM token lies;
    `requests_per_second` the share of amoCRM's 7 per second that all functions together may use."""

    table_name: str
    bus_name: str
    queue_url: str
    dead_letters_url: str
    amocrm_base_url: str
    secrets_prefix: str
    requests_per_second: float = 6.0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Raises NotConfigured with all missing names, so that one deployment tells everything that is wrong."""
        names = ("TABLE_NAME", "BUS_NAME", "QUEUE_URL", "DEAD_LETTERS_URL", "AMOCRM_BASE_URL", "SECRETS_PREFIX")
        missing = [name for name in names if not environment.get(name)]
        if missing:
            raise NotConfigured(f"environment variables are missing: {', '.join(missing)}; template.yaml sets them")
        rate = environment.get("REQUESTS_PER_SECOND", "6")
        try:
            requests_per_second = float(rate)
        except ValueError:
            raise NotConfigured(f"REQUESTS_PER_SECOND is {rate!r}; a number such as 6 would be right") from None
        return cls(
            table_name=environment["TABLE_NAME"],
            bus_name=environment["BUS_NAME"],
            queue_url=environment["QUEUE_URL"],
            dead_letters_url=environment["DEAD_LETTERS_URL"],
            amocrm_base_url=environment["AMOCRM_BASE_URL"],
            secrets_prefix=environment["SECRETS_PREFIX"],
            requests_per_second=requests_per_second,
        )
