"""A link without a machine: what a direction does to numbered frames, for tests of the probe. It is not the relay's pipe."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random

from topologies.emulator.links.effects.effect import Fate
from topologies.emulator.links.probe.chances import HARMLESS_BITS
from topologies.emulator.links.probe.course import Pace
from topologies.emulator.links.probe.fill import Fill
from topologies.emulator.links.probe.filler import Filler
from topologies.emulator.links.probe.model import Way
from topologies.emulator.links.probe.survey import HELD_UP, Survey
from topologies.emulator.links.spec import ETHERNET_HEADER, Direction

BUFFER_BYTES = 128 << 20
Delay = Callable[[int], int]


class Wire:
    """A direction as built: `offer` says when the copies of a frame arrive (ns). Times do not go backwards."""

    def __init__(self, way: Direction, seed: int = 1, late_ns: int = 0) -> None:
        self.way, self.late = way, Random(f"late {seed}")
        self.deciders = [effect.decider(Random(f"{effect.word} {seed}")) for effect in way.effects]
        self.doubler = [effect.word == "duplicate" for effect in way.effects]
        self.late_ns, self.last_due = late_ns, 0
        self.waiting: deque[tuple[int, int]] = deque()  # (start of service, bytes)
        self.held = 0
        self.busy_until = 0
        self.left = self.at = 0

    def offer(self, size: int, now: int) -> list[int]:
        fates = self._fates()
        if not self.way.up:
            return []
        while self.waiting and self.waiting[0][0] <= now:
            self.held -= self.waiting.popleft()[1]
        full = (len(self.waiting) >= self.way.queue_packets if self.way.queue_packets is not None
                else self.held + size > (self.way.queue_bytes or 0))  # fmt: skip
        if full and self.waiting:
            return []
        start, done = self._serve(size, now)
        self.waiting.append((start, size))
        self.held += size
        arrivals = []
        for fate in fates:
            late_ns = int(self.late.random() * self.late_ns)
            if fate.overtakes:
                due = done + late_ns
            else:
                due = self.last_due = max(self.last_due, done + round(self.way.delay_ms * 1e6) + fate.extra_ns + late_ns)
            if fate.corrupt_at < 0 or fate.corrupt_at * size * 8 < HARMLESS_BITS:
                arrivals.append(due)
        return arrivals

    def _fates(self) -> list[Fate]:
        first = Fate()
        for decide in self.deciders:
            decide(first)
        if not first.twice:
            return [] if first.lost else [first]
        if first.lost:
            return [first]
        second = Fate()
        for decide, doubles in zip(self.deciders, self.doubler, strict=True):
            if not doubles:
                decide(second)
        return [first] if second.lost else [first, second]

    def _serve(self, size: int, now: int) -> tuple[int, int]:
        if self.way.trace is not None:
            return self._wait_for_chances(size - ETHERNET_HEADER, now)
        if self.way.rate_bps is None:
            return now, now
        start = max(now, self.busy_until)
        self.busy_until = start + round(size * 8e9 / self.way.rate_bps)
        return start, self.busy_until

    def _chance(self, number: int) -> int:
        assert self.way.trace is not None
        turn, index = divmod(number, len(self.way.trace.times_ms))
        return (turn * self.way.trace.period_ms + self.way.trace.times_ms[index]) * 1_000_000

    def _wait_for_chances(self, size: int, now: int) -> tuple[int, int]:
        ready = max(now, self.busy_until)
        while self._chance(self.at) < now:
            self.at, self.left = self.at + 1, 0
        while self.left < size:
            self.left += 1500
            self.busy_until = max(ready, self._chance(self.at))
            self.at += 1
        self.left -= size
        return self.busy_until, self.busy_until


class Course:
    """Like the probe's, without sockets: `held_up(now)` is until when the sender does not run."""

    def __init__(self, wire: Wire, held_up: Delay = lambda now: now) -> None:
        self.wire, self.held_up, self.now = wire, held_up, 10**9
        self.overflowed, self.blurred = 0, set[int]()

    def begin(self, pace: Pace, frame_bytes: int, batch: int, wait_s: float, *, certain: bool) -> None:
        self.pace, self.arrived, self.copies = pace, dict[int, int](), list[int]()
        while not pace.done:
            self.now = max(self.now, pace.at_ns)
            self.now = max(self.now, self.held_up(self.now))
            for number in range(pace.count, pace.count + pace.size):
                for at in self.wire.offer(frame_bytes, self.now):
                    self.copies += [number] if number in self.arrived else []
                    self.arrived[number] = min(at, self.arrived.get(number, at))
            pace.sent(self.now)
        self.now += round(wait_s * 1e9) + 10**9


def surveyed(built: Direction, said: Direction | None = None, seed: int = 1, *, mtu: int = 1500, late_ns: int = 100_000,
             held_up: Delay = lambda now: now) -> Way:  # fmt: skip
    """What the probe finds of a direction that is built so and said to be otherwise."""
    course = Course(Wire(built, seed, late_ns), held_up)
    survey = Survey(said or built, mtu, course, BUFFER_BYTES)  # type: ignore[arg-type]
    if survey.small:
        survey.begin_train(survey.small, course.now)
        survey.end_train(survey.small)
    for _ in range(2):
        if isinstance(survey.fill, Fill):
            survey.begin_fill(survey.fill, Filler(survey.fill, course.now))
            if survey.end_fill(survey.fill):
                break
    else:
        survey.give_up(HELD_UP if isinstance(survey.fill, Fill) else survey.fill)
    for _ in range(3):
        if survey.full and not survey.enough:
            survey.begin_train(survey.full, course.now)
            survey.end_train(survey.full)
    return survey.result
