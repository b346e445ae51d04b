"""`conveyor local`: the whole stack on this machine, in the foreground."""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from functions.shared.errors import BadInput, ConveyorError
from infra.department.file import load
from infra.local.intrinsics import Unsupported
from infra.local.stack import LocalStack, Ports

EXAMPLE = Path(__file__).parents[2] / "department.example.yaml"
UNUSABLE = 2
"""Exit code for a port, a file or an option that has to be changed; 1 is for everything else that went wrong."""

CHECK_SECONDS = 0.2
HIGHEST_PORT = 65_535


def local(
    *,
    port: Annotated[int, typer.Option(min=0, max=HIGHEST_PORT, help="Port of the gateway, 0 for any free one.")] = 8080,
    amocrm_port: Annotated[
        int, typer.Option(min=0, max=HIGHEST_PORT, help="Port of the amoCRM simulator; /board shows its pipelines.")
    ] = 8081,
    google_port: Annotated[
        int,
        typer.Option(min=0, max=HIGHEST_PORT, help="Port of the Google simulator (Calendar v3, Meet v2)."),
    ] = 8082,
    aws_port: Annotated[
        int, typer.Option(min=0, max=HIGHEST_PORT, help="Port for AWS_ENDPOINT_URL of other processes.")
    ] = 0,
    department: Annotated[Path, typer.Option(help="The department to apply.", metavar="FILE")] = EXAMPLE,
    empty: Annotated[bool, typer.Option("--empty", help="Apply nothing: an account with its admin only.")] = False,
    start: Annotated[str | None, typer.Option(help="Virtual time to begin at, ISO 8601; now by default.")] = None,
    tick: Annotated[
        list[str] | None,
        typer.Option(
            help="Fire only this schedule of the template, with =MINUTES as seldom as that (repeat it for several): "
            "months of one function pass in seconds, a day of all ticks takes three.",
            metavar="NAME[=MINUTES]",
        ),
    ] = None,
    base64_bodies: Annotated[
        bool,
        typer.Option(
            "--base64-bodies",
            envvar="CONVEYOR_BASE64_BODIES",
            help="Hand bodies to the queues base64-encoded: AWS does not document which it does.",
        ),
    ] = False,
) -> None:
    """Run template.yaml with a simulated amoCRM and Google until a signal; the first line says where everything is."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    log_to_stderr()
    out = sys.stdout
    with redirect_stdout(sys.stderr):  # the functions' logs go to stdout, which is for the addresses alone
        try:
            stack = LocalStack(
                load(department),
                ports=Ports(port, amocrm_port, google_port, aws_port),
                empty=empty,
                start=_moment(start),
                base64_bodies=base64_bodies,
                ticks=_ticks(tick or []),
            )
            with stack:
                print(json.dumps(stack.addresses()), file=out, flush=True)
                while not stop.wait(CHECK_SECONDS):
                    stack.cloud.timeline.check()
        except (BadInput, Unsupported, OSError) as error:
            print(error, file=sys.stderr)
            raise typer.Exit(UNUSABLE) from error
        except ConveyorError as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            raise typer.Exit(1) from error


def _ticks(given: list[str]) -> dict[str, int | None]:
    ticks: dict[str, int | None] = {}
    for each in given:
        name, _, minutes = each.partition("=")
        if minutes and not (minutes.isdecimal() and 0 < int(minutes) <= 7 * 24 * 60):
            raise BadInput(f"--tick {each}: write a schedule's name, or its name and minutes such as care=60")
        ticks[name] = int(minutes) if minutes else None
    return ticks


def log_to_stderr() -> None:
    """Our own lines, and of the libraries only warnings: they log addresses, which may contain phone numbers."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(name)s: %(message)s")
    logging.getLogger("infra").setLevel(logging.INFO)
    for name in ("samtranslator", "waitress.queue"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        _ = moment + timedelta(days=3660)  # a stack is played forward
    except (ValueError, OverflowError):
        raise BadInput(f"--start {text}: write a time such as 2026-03-02T09:00+03:00") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
