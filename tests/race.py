"""Distributor processes that race for one ledger on DynamoDB's own engine, are killed at random and started anew.

The world (amoCRM, bus, queue) lives in the parent and survives them; the department's time runs `SPEED` times faster
than real time in all of them, so that leases and visibility timeouts end within a test.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import threading
import time
from datetime import datetime, timedelta
from multiprocessing.managers import BaseManager
from typing import Any

from functions.shared.adapters.dynamodb.table import Table
from tests.builders import ANNA, BORIS, MONDAY_NOON, VERA, lead_hook, make_department, unsorted_hook
from tests.desk import Desk, open_stores
from tests.dynamodb_local import local_client
from tests.fakes import create_table
from tests.fakes_amocrm import FakeAmoCrm

TABLE, BATCH, KILLED = "race", 40, 9
KILL_SHARE = 0.01
"""Chance to die at each call to the world; a batch of 40 leads makes some thirty calls."""

SPEED = 100
"""The department's time runs so much faster, so that leases of 75 s end within the test."""


class FastClock:
    """Time of all processes of this test: real time, `SPEED` times faster, from a Monday noon on."""

    def __init__(self, started: float) -> None:
        self._started = started

    def now(self) -> datetime:
        return MONDAY_NOON + timedelta(seconds=(time.time() - self._started) * SPEED)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / SPEED)


class World:
    """What survives a worker: amoCRM, the bus, and the queue with the messages that nobody has finished."""

    def __init__(self, started: float, leads: int) -> None:
        self._started = started
        self.clock = FastClock(started)
        self.amocrm = FakeAmoCrm(self.clock)
        for user_id in (1, ANNA, BORIS, VERA):
            self.amocrm.add_user(user_id)
        self._lock = threading.RLock()
        self._told: list[int] = []
        bodies = [self._new_lead(number) for number in range(leads)]
        bodies += random.Random(7).sample(bodies, leads // 5)  # every fifth hook comes twice
        random.Random(8).shuffle(bodies)
        self._visible_at = dict.fromkeys(range(len(bodies)), self.clock.now())
        self._bodies = dict(enumerate(bodies))

    def _new_lead(self, number: int) -> str:
        if number % 4:
            return lead_hook(self.amocrm.add_lead(responsible_user_id=1).id)
        item = self.amocrm.add_unsorted()
        return unsorted_hook(item.uid, item.lead_id)

    def call(self, method: str, *args: Any) -> Any:
        with self._lock:
            return getattr(self.amocrm, method)(*args)

    def publish(self, events: Any) -> None:
        with self._lock:
            self._told += [event.lead_id for event in events]

    def receive(self) -> dict[int, str]:
        """Up to BATCH visible messages; they are invisible to others for a while, as in SQS."""
        with self._lock:
            now = self.clock.now()
            ready = [number for number, at in self._visible_at.items() if at <= now][:BATCH]
            for number in ready:
                self._visible_at[number] = now + timedelta(seconds=120)
            return {number: self._bodies[number] for number in ready}

    def settle(self, received: list[int], back: list[int]) -> None:
        with self._lock:
            for number in received:
                if number in back:
                    self._visible_at[number] = self.clock.now() + timedelta(seconds=80)
                else:
                    del self._visible_at[number]

    def start(self) -> float:
        """When this world's time began, in real time."""
        return self._started

    def left(self) -> int:
        return len(self._visible_at)

    def outcome(self) -> dict[int, tuple[int, int, int, bool]]:
        """Per lead: owner, tasks, notes, whether the bus was told."""
        ids = sorted(self.amocrm._history)
        return {
            lead_id: (
                self.amocrm.owner(lead_id),
                len(self.amocrm.tasks_of(lead_id)),
                len(self.amocrm.notes_of(lead_id)),
                lead_id in self._told,
            )
            for lead_id in ids
        }


class Host(BaseManager):
    """Serves the world to the workers."""


class Guest(BaseManager):
    """A worker's way to the world."""


Guest.register("world")


class Remote:
    """The port AmoCrm, or the bus, across the process border; each call may be this process's last."""

    def __init__(self, world: Any, dice: random.Random) -> None:
        self._world = world
        self._dice = dice

    def __getattr__(self, method: str) -> Any:
        def call(*args: Any) -> Any:
            result = self._world.publish(*args) if method == "publish" else self._world.call(method, *args)
            die_perhaps(self._dice)
            return result

        return call


class MortalClient:
    """A DynamoDB client whose every answer may find nobody alive."""

    def __init__(self, client: Any, dice: random.Random) -> None:
        self._client = client
        self._dice = dice

    def __getattr__(self, operation: str) -> Any:
        def call(**request: Any) -> Any:
            result = getattr(self._client, operation)(**request)
            die_perhaps(self._dice)
            return result

        return call


def die_perhaps(dice: random.Random) -> None:
    if dice.random() < KILL_SHARE:
        os._exit(KILLED)


def work(address: Any, key: bytes, endpoint: str, seed: int) -> None:
    """A worker process: receive, distribute, settle, until nothing is left or it is killed."""
    guest = Guest(address, authkey=key)
    guest.connect()
    world = guest.world()  # type: ignore[attr-defined] # registered above
    dice = random.Random(seed)
    client = MortalClient(local_client(endpoint), dice)
    remote = Remote(world, dice)
    desk = Desk(Table(lambda: client, TABLE), clock=FastClock(world.start()), bus=remote, amocrm=remote)
    while world.left():
        received = world.receive()
        if not received:
            time.sleep(0.02)
            continue
        numbers = list(received)
        back = desk.hook(*received.values())
        world.settle(numbers, [numbers[int(message.removeprefix("m"))] for message in back])


def race(endpoint: str, *, leads: int, workers: int = 2, seconds: float = 150) -> tuple[World, Table, int]:
    """Let `workers` processes distribute `leads`; a killed one is replaced. Returns world, table, number of kills."""
    table = create_table(local_client(endpoint), TABLE)
    open_stores(table).departments.store(make_department())
    world = World(time.time(), leads)
    Host.register("world", callable=lambda: world)
    host = Host(("127.0.0.1", 0), authkey=b"race")
    server = host.get_server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    context, seeds, kills = multiprocessing.get_context("forkserver"), iter(range(10_000)), 0
    context.set_forkserver_preload(["tests.race"])  # a new worker then starts in milliseconds
    running: list[Any] = []
    deadline = time.monotonic() + seconds
    while world.left() and time.monotonic() < deadline:
        kills += sum(worker.exitcode == KILLED for worker in running)
        failed = [worker.exitcode for worker in running if worker.exitcode not in (None, 0, KILLED)]
        assert not failed, f"a worker failed: {failed}"
        running = [worker for worker in running if worker.is_alive()]
        while len(running) < workers:
            worker = context.Process(target=work, args=(server.address, b"race", endpoint, next(seeds)), daemon=True)
            worker.start()
            running.append(worker)
        time.sleep(0.05)
    for worker in running:
        worker.join(30)
    return world, table, kills
