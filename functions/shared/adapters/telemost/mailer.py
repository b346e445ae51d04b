"""Mail by SMTP, over TLS alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Protocol

from functions.shared.errors import MeetingRefused, MeetingsUnauthorized, MeetingsUnavailable, NotConfigured

SMTP = "smtp"
"""Name of the parameter below the installation's prefix: JSON with host, port, user, password and from."""

TIMEOUT = 10.0
IMPLICIT_TLS = 465


class Mailer(Protocol):
    """Sends one mail; raises MeetingRefused where no address of it is taken, MeetingsUnauthorized and
    MeetingsUnavailable."""

    def sender(self) -> str: ...

    def send(self, mail: EmailMessage) -> None: ...


@dataclass(frozen=True)
class SmtpAccount:
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    sender: str

    @classmethod
    def parse(cls, text: str | None) -> SmtpAccount:
        """Raises NotConfigured with the names that are missing, never a value."""
        again = f"store it with `conveyor secrets set {SMTP}`"
        if text is None:
            raise NotConfigured(f"no mail account for invitations: {again}")
        try:
            given = json.loads(text)
            return cls(given["host"], int(given["port"]), given["user"], given["password"], given["from"])
        except (ValueError, KeyError, TypeError) as error:
            what = (
                f"lacks {error}" if isinstance(error, KeyError) else "is no JSON with host, port, user, password, from"
            )
            raise NotConfigured(f"{SMTP} {what}: {again}") from None


class SmtpMailer:
    """`account` is read anew for each mail; it is cached by whoever gives it."""

    def __init__(self, account: Callable[[], SmtpAccount]) -> None:
        self._account = account

    def sender(self) -> str:
        return self._account().sender

    def send(self, mail: EmailMessage) -> None:
        import smtplib
        import ssl

        account = self._account()
        context = ssl.create_default_context()
        try:
            if account.port == IMPLICIT_TLS:
                server: smtplib.SMTP = smtplib.SMTP_SSL(account.host, account.port, timeout=TIMEOUT, context=context)
            else:
                server = smtplib.SMTP(account.host, account.port, timeout=TIMEOUT)
            with server:
                if account.port != IMPLICIT_TLS:
                    server.starttls(context=context)
                server.login(account.user, account.password)
                server.send_message(mail)
        except smtplib.SMTPAuthenticationError as error:
            raise MeetingsUnauthorized(f"the mail server refuses the password in {SMTP}") from error
        except smtplib.SMTPRecipientsRefused as error:
            raise MeetingRefused("the mail server takes none of the addresses", attendees=True) from error
        except smtplib.SMTPNotSupportedError as error:
            raise NotConfigured(f"the mail server in {SMTP} offers no TLS: take port 465 or another server") from error
        except (smtplib.SMTPException, OSError) as error:
            raise MeetingsUnavailable(f"the mail server: {type(error).__name__}", after=60.0) from error
