"""`conveyor`: the command line. Each command lives in a module of its own and is only registered here."""

from __future__ import annotations

import typer

from infra.cli.absences import absent, back
from infra.cli.care import care_app
from infra.cli.department import apply, check
from infra.cli.doctor import doctor
from infra.cli.events import events_app
from infra.cli.explain import explain
from infra.cli.hooks import hooks_app
from infra.cli.local import local
from infra.cli.meetings import meetings_app
from infra.cli.merges import merges_app
from infra.cli.plan import plan
from infra.cli.secrets import secrets_app
from infra.cli.simulate import simulate
from infra.cli.sources import sources_app
from infra.cli.stacks import at_stack

app = typer.Typer(help="A three-level sales department for amoCRM.", no_args_is_help=True, add_completion=False)
app.add_typer(hooks_app, name="hooks")
app.add_typer(merges_app, name="merges")
app.add_typer(care_app, name="care")
app.add_typer(meetings_app, name="meetings")
app.add_typer(sources_app, name="sources")
app.add_typer(events_app, name="events")
app.add_typer(secrets_app, name="secrets")
for command in (check, plan, apply, doctor, local, simulate, explain, absent, back):
    app.command()(command)
for commands in (app, *(group.typer_instance for group in app.registered_groups if group.typer_instance)):
    for each in commands.registered_commands:
        each.callback = at_stack(each.callback) if each.callback else None


def run() -> None:
    app()
