"""Answers that are not 2xx: problem+json as amoCRM's API writes it, HTML as the proxy in front of it does."""

from __future__ import annotations

from typing import Any

NGINX = (
    "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
    "<center><h1>{title}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)


class Refused(Exception):
    """An answer of the API other than 2xx."""

    def __init__(self, status: int, title: str, detail: str, **extra: object) -> None:
        super().__init__(f"{status} {detail}")
        self.status = status
        self.body: dict[str, Any] = {
            **extra,
            "title": title,
            "type": f"https://httpstatus.es/{status}",
            "status": status,
            "detail": detail,
        }


class GatewayPage(Exception):
    """An HTML page of the proxy."""

    TITLES = {  # noqa: RUF012 — a table, never written to
        403: "403 Forbidden",
        414: "414 Request-URI Too Large",
        429: "429 Too Many Requests",
        502: "502 Bad Gateway",
        504: "504 Gateway Time-out",
    }

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status
        self.html = NGINX.format(title=self.TITLES[status])


def unauthorized() -> Refused:
    return Refused(401, "Unauthorized", "Invalid user name or password")


def forbidden(detail: str = "Forbidden") -> Refused:
    return Refused(403, "Forbidden", detail)


def not_found(detail: str = "Not Found") -> Refused:
    return Refused(404, "Not Found", detail)


def bad_request(detail: str) -> Refused:
    return Refused(400, "Bad Request", detail)


def unprocessable(detail: str) -> Refused:
    return Refused(422, "Unprocessable Entity", detail)


def too_many() -> Refused:
    return Refused(
        429,
        "Too Many Requests",
        "You have sent too many requests in a given amount of time. Please try again later.",
        retry_after=300,
    )


def invalid(errors: list[dict[str, Any]]) -> Refused:
    """400 with `validation-errors`: one entry per refused item, nothing was written."""
    return Refused(400, "Bad Request", "Request validation failed", **{"validation-errors": errors})
