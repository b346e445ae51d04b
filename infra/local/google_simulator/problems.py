"""Google's errors, in the shapes of its different front ends."""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """An answer other than success: `status` and the JSON `body`."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(str(body))
        self.status = status
        self.body = body


def calendar(status: int, domain: str, reason: str, message: str, **where: str) -> Refused:
    """Calendar API: errors. `where` is locationType and location."""
    error = {"domain": domain, "reason": reason, "message": message, **where}
    return Refused(status, {"error": {"errors": [error], "code": status, "message": message}})


def invalid(message: str) -> Refused:
    return calendar(400, "global", "invalid", message)


def required(message: str) -> Refused:
    return calendar(400, "global", "required", message)


def not_found() -> Refused:
    return calendar(404, "global", "notFound", "Not Found")


def duplicate() -> Refused:
    return calendar(409, "global", "duplicate", "The requested identifier already exists.")


def deleted() -> Refused:
    return calendar(410, "global", "deleted", "Resource has been deleted")


def condition_not_met() -> Refused:
    where = {"locationType": "header", "location": "If-Match"}
    return calendar(412, "global", "conditionNotMet", "Precondition Failed", **where)


def full_sync_required() -> Refused:
    message = "Sync token is no longer valid, a full sync is required."
    return calendar(410, "calendar", "fullSyncRequired", message, locationType="parameter", location="syncToken")


def forbidden() -> Refused:
    return calendar(403, "global", "forbidden", "Forbidden")


def not_organizer() -> Refused:
    message = "Shared properties can only be changed by the organizer of the event."
    return calendar(403, "calendar", "forbiddenForNonOrganizer", message)


def service_account() -> Refused:
    message = "Service accounts cannot invite attendees without Domain-Wide Delegation of Authority."
    return calendar(403, "calendar", "forbiddenForServiceAccounts", message)


def conference_type() -> Refused:
    return invalid("Invalid conference type value.")


def rate(status: int) -> Refused:
    return calendar(status, "usageLimits", "rateLimitExceeded", "Rate Limit Exceeded")


def limits() -> Refused:
    return calendar(403, "usageLimits", "quotaExceeded", "Calendar usage limits exceeded.")


def backend() -> Refused:
    return calendar(503, "global", "backendError", "Backend Error")


def credentials() -> Refused:
    refused = calendar(
        401, "global", "authError", "Invalid Credentials", locationType="header", location="Authorization"
    )
    refused.body["error"]["status"] = "UNAUTHENTICATED"
    return refused


def scopes(service: str, method: str) -> Refused:
    """The front end's answer where the token lacks the scope."""
    message = "Request had insufficient authentication scopes."
    detail = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
        "domain": "googleapis.com",
        "metadata": {"service": service, "method": method},
    }
    errors = [{"message": "Insufficient Permission", "domain": "global", "reason": "insufficientPermissions"}]
    error = {"code": 403, "message": message, "errors": errors, "status": "PERMISSION_DENIED", "details": [detail]}
    return Refused(403, {"error": error})


def meet(status: int, code: str, message: str) -> Refused:
    """google.rpc style (Google Meet API)."""
    return Refused(status, {"error": {"code": status, "message": message, "status": code, "details": []}})


def no_space() -> Refused:
    """A wrong space and a forbidden one look the same."""
    return meet(403, "PERMISSION_DENIED", "Permission denied on resource Space (or it might not exist)")


def oauth(status: int, error: str, description: str) -> Refused:
    """The token endpoint's flat shape (RFC 6749, 5.2)."""
    return Refused(status, {"error": error, "error_description": description})
