"""`conveyor sources`: who may tell facts by POST /v1/events."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

import typer

from infra.cli.records import Endpoint, explained
from infra.events.credentials import CredentialStore, Fresh, added, removed, rotated

sources_app = typer.Typer(help="Sources of facts and their credentials.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The source, as the department's feeds name it: turnstile.", metavar="NAME")]
Stage = Annotated[
    str, typer.Option(envvar="STAGE", help="Parameter Stage of the stack: secrets lie in SSM below /conveyor/<stage>.")
]

PROD = "prod"
"""Default of the parameter Stage (template.yaml)."""

SOON = "The function takes it within half a minute."


@sources_app.command("add")
@explained()
def add(name: Name, stage: Stage = PROD, endpoint: Endpoint = None) -> None:
    """Let a source in: a token and a secret, printed once."""
    store, fresh = open_store(stage, endpoint), Fresh.drawn()
    store.change(lambda known: added(known, name, fresh))
    if store.make_identity_key():
        print(f"Made the key of the hashes, /conveyor/{stage}/identity-key. It must never change.")
    _show(fresh)
    print(f"{name} may tell facts: with the token, or better, signed with the secret. {SOON}")


@sources_app.command("list")
@explained()
def list_sources(stage: Stage = PROD, endpoint: Endpoint = None) -> None:
    """Name the sources; their credentials are not shown."""
    known = open_store(stage, endpoint).known()
    for name, live in sorted(known.items()):
        print(f"{name}: live tokens {len(live.get('tokens', []))}, live secrets {len(live.get('secrets', []))}")
    if not known:
        print("No source may tell facts yet: `conveyor sources add NAME`.")


@sources_app.command("rotate")
@explained()
def rotate(
    name: Name,
    stage: Stage = PROD,
    finish: Annotated[bool, typer.Option("--finish", help="End the old ones; the source uses the new.")] = False,
    endpoint: Endpoint = None,
) -> None:
    """Give a source a new token and secret, printed once; the ones before stay live until `--finish`, or the next
    rotation."""
    store = open_store(stage, endpoint)
    if finish:
        store.change(lambda known: rotated(known, name, None))
        print(f"Only the newest token and secret of {name} are live; the others stop within five minutes.")
        return
    fresh = Fresh.drawn()
    store.change(lambda known: rotated(known, name, fresh))
    _show(fresh)
    print(f"Put them into {name}, then run `conveyor sources rotate {name} --finish`. {SOON}")


@sources_app.command("remove")
@explained()
def remove(
    name: Name,
    stage: Stage = PROD,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    endpoint: Endpoint = None,
) -> None:
    """Shut a source out. What it told stays."""
    if not yes:
        typer.confirm(f"Shut {name} out? Its credentials cannot be brought back", abort=True)
    open_store(stage, endpoint).change(lambda known: removed(known, name))
    print(f"{name} may tell nothing any more, within five minutes.")


def open_store(stage: str, endpoint: str | None) -> CredentialStore:
    @cache
    def client() -> Any:
        import boto3

        return boto3.client("ssm", endpoint_url=endpoint)

    return CredentialStore(client, f"/conveyor/{stage}")


def _show(fresh: Fresh) -> None:
    print(f"EVENTS_TOKEN={fresh.token}\nEVENTS_SECRET={fresh.secret}")
    print("They are shown this once.")
