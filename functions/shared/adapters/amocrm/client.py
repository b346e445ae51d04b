"""HTTP with amoCRM: one request at a time, each with a slot of the shared budget, a token and a retry policy.

What leaves this module is JSON or an error of functions.shared.errors; what the JSON means is not its business.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from functions.shared.adapters.amocrm.answers import AccountBlocked, Answer, Json, value_of
from functions.shared.adapters.amocrm.retry import Cause, Failure
from functions.shared.errors import (
    AmbiguousWrite,
    AmoCrmError,
    AmoCrmNotFound,
    AmoCrmUnauthorized,
    AmoCrmUnavailable,
)

if TYPE_CHECKING:
    import httpx

    from functions.shared.adapters.amocrm.budget import RequestBudget
    from functions.shared.adapters.amocrm.config import AmoCrmConfig
    from functions.shared.adapters.amocrm.tokens import TokenProvider
    from functions.shared.clock import Clock
    from functions.shared.telemetry import Telemetry

Query = Sequence[tuple[str, str | int]]


@dataclass(frozen=True)
class Page:
    """One page of a list; `more` says whether amoCRM announced another."""

    rows: list[Json]
    more: bool


def open_http(config: AmoCrmConfig, transport: httpx.BaseTransport | None) -> httpx.Client:
    """The connection pool of a process. Redirects are not followed: they would carry the token to another host."""
    import httpx

    for chatty in ("httpx", "httpcore"):
        # At INFO each request is logged with its URL: kilobytes of ids where a list is asked for.
        logging.getLogger(chatty).setLevel(logging.WARNING)
    return httpx.Client(
        base_url=config.base_url,
        timeout=httpx.Timeout(config.read_timeout, connect=config.connect_timeout),
        limits=httpx.Limits(max_connections=4),
        transport=transport,
        headers={"User-Agent": "Conveyor", "Accept": "application/hal+json, application/json"},
        follow_redirects=False,
    )


class AmoCrmClient:
    """`http` is called on the first request only: importing and opening httpx is a good part of a cold start."""

    def __init__(
        self,
        *,
        config: AmoCrmConfig,
        http: Callable[[], httpx.Client],
        budget: RequestBudget,
        tokens: TokenProvider,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self.config = config
        self.budget = budget
        self.clock = clock
        self._http = http
        self._tokens = tokens
        self._telemetry = telemetry
        self._is_account_here = False

    def get(self, path: str, query: Query = ()) -> Json | None:
        """The JSON of a read below /api/v4/, None where there is nothing (204).

        The path must be one that every account has: a 404 says that no account is here, and comes out as
        AmoCrmUnavailable. Raises AmoCrmUnauthorized, AmoCrmForbidden, AmoCrmRefused too.
        """
        try:
            return self._request("GET", path, query, None)
        except AmoCrmNotFound as nowhere:
            self._is_account_here = False
            raise AmoCrmUnavailable(
                f"{nowhere}: no account answers at {self.config.base_url}, it may have moved or the base URL is wrong"
            ) from nowhere

    def find(self, path: str, query: Query = ()) -> Json | None:
        """The JSON of a single entity, None where there is none: 204, or 404 from a host that has our account.

        Raises the same as `get`.
        """
        try:
            return self._request("GET", path, query, None)
        except AmoCrmNotFound:
            self._make_sure_of_account()
            return None

    def pages(self, path: str, key: str, query: Query = (), size: int | None = None) -> Iterator[Page]:
        """The pages of a list, `size` rows each, until amoCRM announces no next one, or answers 204.

        `_links.next` is only taken as a sign, its address is never called. After `max_pages` the list is cut
        with a warning: no question of ours has so many answers.
        """
        for number in range(1, self.config.max_pages + 1):
            body = self.get(path, [*query, ("page", number), ("limit", size or self.config.read_size)])
            if body is None:
                return
            rows = (body.get("_embedded") or {}).get(key) or []
            page = Page(rows, more="next" in (body.get("_links") or {}))
            yield page
            if not page.more:
                return
        self._telemetry.warning("amocrm_list_cut", path=path, pages=self.config.max_pages)

    def write(self, method: str, path: str, body: Json) -> Json | None:
        """The JSON that answers a write.

        Raises AmbiguousWrite when nobody knows whether it was done, AmoCrmUnavailable when it was not,
        AmoCrmRefused, AmoCrmNotFound, AmoCrmUnauthorized, AmoCrmForbidden when it never will be.
        """
        try:
            return self._request(method, path, (), body)
        except AmoCrmNotFound:
            self._make_sure_of_account()
            raise

    def _make_sure_of_account(self) -> None:
        """Before a 404 is believed to be about an entity, once in a process: the account itself must be found.

        A host without our account answers 404 to everything, and every lead would look deleted.
        """
        if not self._is_account_here and not self.get("account"):
            raise AmoCrmUnavailable(f"no account at {self.config.base_url}")
        self._is_account_here = True

    def _request(self, method: str, path: str, query: Query, body: Json) -> Json | None:
        for attempt in count(1):
            outcome = self._attempt(method, path, query, body)
            if not isinstance(outcome, Failure):
                return outcome
            wait = self.config.retry(outcome, attempt)
            self._telemetry.warning("amocrm_attempt_failed", detail=outcome.detail, attempt=attempt, wait=wait)
            self._pause(outcome, wait)
        raise AssertionError("count() does not end")

    def _pause(self, failure: Failure, wait: float | None) -> None:
        """Wait before the next attempt, or raise. A 429 slows everybody, through the budget."""
        after = failure.retry_after
        if failure.cause is Cause.THROTTLED:
            asked = self.config.slowdown if after is None else after
            after = min(max(asked, 1.0), self.config.longest_slowdown) if wait is None else wait
            self.budget.slow_down(after)
        elif wait is not None:
            self.clock.sleep(wait)
        if wait is None:
            error = AmbiguousWrite if failure.is_ambiguous else AmoCrmUnavailable
            raise error(failure.detail, after)

    def _attempt(self, method: str, path: str, query: Query, body: Json) -> Json | Failure | None:
        token = self._tokens.token()
        answer = self._send(method, path, query, body, token)
        if self._is_unauthorised(answer):
            # 401 comes before anything is done, so even a write may go out again.
            answer = self._send(method, path, query, body, self._tokens.renew(token))
            if self._is_unauthorised(answer):
                raise AmoCrmUnauthorized(f"{method} {path}: 401 with a fresh token", 401)
        return answer if isinstance(answer, Failure) else self._value_of(answer)

    def _is_unauthorised(self, answer: Answer | Failure) -> bool:
        """Whether it is a 401; amoCRM works then, whatever is wrong with our token."""
        if isinstance(answer, Failure) or answer.status != 401:
            return False
        self.budget.answered()
        return True

    def _value_of(self, answer: Answer) -> Json | Failure | None:
        """The answer's value; tells the budget whether amoCRM works, throttles or has blocked the account."""
        try:
            value = value_of(answer)
        except AccountBlocked as block:
            after = self.budget.open_breaker(str(block))
            raise AmoCrmUnavailable(f"amoCRM has blocked the account: {block}", after) from block
        except AmoCrmError:
            self.budget.answered()
            raise
        if not isinstance(value, Failure):
            self.budget.answered()
        return value

    def _send(self, method: str, path: str, query: Query, body: Json, token: str) -> Answer | Failure:
        import httpx

        self.budget.acquire()
        is_write = method != "GET"
        asked = f"{method} /api/v4/{path}"
        try:
            response = self._http().request(
                method,
                f"/api/v4/{path}",
                params=[(key, str(value)) for key, value in query],
                json=body,
                headers={"Authorization": f"Bearer {token}"},
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            return Failure(Cause.NOT_SENT, f"{asked}: {type(error).__name__}", is_write)
        except httpx.RequestError as error:
            return Failure(Cause.UNANSWERED, f"{asked}: {type(error).__name__}", is_write)
        return _answer(asked, is_write, response.status_code, response.content, response.headers)


def _answer(asked: str, is_write: bool, status: int, content: bytes, headers: Mapping[str, str]) -> Answer:
    return Answer(asked, is_write, status, content, headers.get("Retry-After"), headers.get("X-Request-Id"))
