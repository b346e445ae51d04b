"""Vertical tracks in the gutter between two columns: which arrow runs where, with few crossings. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

CLEARANCE = 14
"""Pixels between the ends of two runs on one track, so that they are not read as one."""

_TRACK_PRICE = 0.5
"""Of another track, in crossings: room is cheaper than a crossing."""

_REPAIRS = 3


@dataclass(frozen=True)
class Run:
    """One arrow, or several that are drawn as one, in a gutter: the heights at which it is joined from the boxes on
    the left and on the right."""

    key: Hashable
    left: frozenset[int]
    right: frozenset[int]

    @property
    def top(self) -> int:
        return min(self.left | self.right)

    @property
    def bottom(self) -> int:
        return max(self.left | self.right)

    def spans(self, height: int) -> bool:
        return self.top < height < self.bottom


def assign(runs: Iterable[Run]) -> list[list[Run]]:
    """The tracks from left to right with their runs; runs on one track do not touch."""
    tracks: list[list[Run]] = []
    ordered = sorted(runs, key=lambda run: (run.top - run.bottom, run.top, str(run.key)))
    for run in ordered:
        _insert(tracks, run)
    for _ in range(_REPAIRS):
        for run in ordered:
            next(track for track in tracks if run in track).remove(run)
            tracks[:] = [track for track in tracks if track]
            _insert(tracks, run)
    return tracks


def _insert(tracks: list[list[Run]], run: Run) -> None:
    """Where it crosses least, on a track of its own only if that saves a crossing."""
    shared = [(_crossings(tracks, run, at, at + 1), at) for at, track in enumerate(tracks) if _has_room(track, run)]
    own = [(_crossings(tracks, run, at, at) + _TRACK_PRICE, at) for at in range(len(tracks) + 1)]
    if shared and min(shared) <= min(own):
        tracks[min(shared)[1]].append(run)
    else:
        tracks.insert(min(own)[1], [run])


def _has_room(track: list[Run], run: Run) -> bool:
    return all(other.bottom + CLEARANCE <= run.top or run.bottom + CLEARANCE <= other.top for other in track)


def _crossings(tracks: list[list[Run]], run: Run, before: int, after: int) -> int:
    """Crossings with the runs on tracks[:before], to the left, and on tracks[after:], to the right."""
    left = sum(_crossings_of(other, run) for track in tracks[:before] for other in track)
    return left + sum(_crossings_of(run, other) for track in tracks[after:] for other in track)


def _crossings_of(left: Run, right: Run) -> int:
    return sum(map(right.spans, left.right)) + sum(map(left.spans, right.left))
