"""A template come alive in this process: its storage, queues, functions, schedules and HTTP API around one clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Self

from flask import Flask

from functions.shared import runtime
from functions.shared.runtime import Runtime
from infra.local.aws import LocalAws
from infra.local.clock import VirtualClock
from infra.local.gateway import Gateway, create_app
from infra.local.intrinsics import Unsupported
from infra.local.lambdas import LocalLambda, new_environment
from infra.local.pump import QueuePump
from infra.local.schedules import Schedules
from infra.local.template import ScheduleSpec, Template
from infra.local.timeline import Source, Timeline


class LocalCloud:
    """A context manager. `visitors` are further sources of the timeline: what lives outside of AWS. `transport` is
    the functions' way to the world (httpx). Of the schedules only those named in `ticks` fire (none named: all), every
    so many minutes where it says so. The timeline is the caller's to enter, once everything is set up. Raises
    Unsupported for a template that cannot be played.
    """

    def __init__(
        self,
        template: Template,
        clock: VirtualClock,
        region: str,
        *,
        visitors: Sequence[Source] = (),
        transport: Any = None,
        base64_bodies: bool = False,
        ticks: Mapping[str, int | None] = MappingProxyType({}),
    ) -> None:
        self.template = template
        self.clock = clock
        self.aws = LocalAws(template, clock, region)
        self._region = region
        self._visitors = visitors
        self._transport = transport
        self._base64_bodies = base64_bodies
        self._ticks = ticks
        self._exits = ExitStack()
        self.describe: Callable[[], Mapping[str, Any]] = dict
        """What the status says beside the cloud itself."""
        self.timeline: Timeline
        self.app: Flask

    def __enter__(self) -> Self:
        with self._exits:
            self._exits.enter_context(self.aws)
            self._exits.callback(runtime.install, runtime.current())
            runtime.install(Runtime(clock=self.clock, aws=self.aws.client, transport=self._transport))
            new_environment()
            functions = {
                name: LocalLambda(function, self.clock, self._region)
                for name, function in self.template.functions.items()
            }
            self.timeline = Timeline(self.clock, [*self._visitors, *self._pumps(functions), self._schedules()])
            gateway = Gateway(
                self.template.routes,
                self.aws.queues,
                functions,
                self.clock,
                received=self.timeline.disturb,
                base64_bodies=self._base64_bodies,
            )
            self.app = create_app(gateway, self.status, self.advance)
            self._exits = self._exits.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def status(self) -> dict[str, Any]:
        """The time, whether anything is still to be done, and what lies in the queues."""
        dead_letters = {queue.dead_letter_queue for queue in self.aws.queues.values()}
        queues = {}
        for name, queue in self.aws.queues.items():
            if name not in dead_letters:
                counts, dead = queue.counts(), queue.dead_letter_queue
                dlq = len(self.aws.queues[dead].bodies()) if dead else 0
                queues[name] = {"visible": counts.visible, "in_flight": counts.in_flight, "dlq": dlq}
        return {"now": self.clock.now().isoformat(), "idle": self.timeline.idle(), "queues": queues, **self.describe()}

    def setting(self, name: str) -> str:
        """A variable of the functions' environment. Raises Unsupported if no function has it."""
        for function in self.template.functions.values():
            if name in function.environment:
                return function.environment[name]
        raise Unsupported(f"no function of the template has {name} in its environment")

    def advance(self, seconds: float) -> str:
        """Let time pass; returns what time it is then. Raises StackFailed."""
        self.timeline.advance(seconds)
        return self.clock.now().isoformat()

    def _pumps(self, functions: dict[str, LocalLambda]) -> list[Source]:
        return [
            QueuePump(source, self.aws.queues[source.queue], functions[source.function], self.clock)
            for source in self.template.queue_sources
        ]

    def _schedules(self) -> Source:
        known = {spec.name for spec in self.template.schedules}
        if unknown := sorted(self._ticks.keys() - known):
            raise Unsupported(f"no schedule is called {', '.join(unknown)}; there are {', '.join(sorted(known))}")
        wanted = self._ticks or dict.fromkeys(known)
        scheduled = [
            (_every(spec, wanted[spec.name]), self.aws.queues[spec.queue])
            for spec in self.template.schedules
            if spec.name in wanted
        ]
        return Schedules(scheduled, self.clock.now())


def _every(spec: ScheduleSpec, minutes: int | None) -> ScheduleSpec:
    return spec if minutes is None else replace(spec, expression=f"rate({minutes} minutes)")
