"""Puts the adapter together; nothing is opened or read before the first request."""

from __future__ import annotations

from datetime import timedelta
from functools import cache, partial

from functions.shared.adapters.aws.secrets import Parameters
from functions.shared.adapters.dynamodb.table import Table
from functions.shared.adapters.google.config import GoogleConfig
from functions.shared.adapters.google.rest import open_http
from functions.shared.adapters.telemost.kept import KeptMeetings
from functions.shared.adapters.telemost.mailer import SMTP, SmtpAccount, SmtpMailer
from functions.shared.adapters.telemost.provider import TELEMOST, Telemost
from functions.shared.errors import NotConfigured
from functions.shared.ports import MeetingProvider
from functions.shared.remembered import Remembered
from functions.shared.runtime import Runtime
from functions.shared.settings import Settings

SECRET_AGE = timedelta(minutes=5)


def build_telemost(settings: Settings, runtime: Runtime) -> MeetingProvider:
    """Telemost with the token and the mail account from SSM."""
    secrets = Parameters(partial(runtime.aws, "ssm"), settings.secrets_prefix)
    found = Remembered(lambda: secrets.read(TELEMOST, SMTP), runtime.clock, SECRET_AGE)

    def token() -> str:
        if TELEMOST not in found.get():
            raise NotConfigured(f"no token of Telemost: store one with `conveyor secrets set {TELEMOST}`")
        return found.get()[TELEMOST].strip()

    return Telemost(
        KeptMeetings(Table(partial(runtime.aws, "dynamodb"), settings.table_name)),
        SmtpMailer(lambda: SmtpAccount.parse(found.get().get(SMTP))),
        token,
        cache(partial(open_http, GoogleConfig(), runtime.transport)),
        runtime.clock,
    )
