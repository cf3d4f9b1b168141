"""Rate, loss and queue of all links, by trains and fills of UDP frames that the receiving kernel stamps.

It is not a throughput test: a train is some twenty milliseconds long, a fill as long as a full queue drains.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from ..netns import socket_in
from ..spec import Direction
from .admission import Admission
from .course import Course, Courses
from .fill import MOST_FRAMES_IN_ALL, Fill, affordable
from .model import Target, Way
from .plan import Train, groups
from .stamps import prepare
from .survey import HELD_UP, Survey

_BUFFER_BYTES = 64 << 20
_FILL_BUDGET_BPS = 1e9
_STAGGER_NS = 20_000
_REPEATS, _FILL_REPEATS = 3, 1
"""A train or fill whose sender was held up tells nothing of the link, good or bad, and is sent again at once."""
_CABLE = Way(None, 0, 0, rate_note="a plain cable has no rate", queue_note="a plain cable has no queue")

Key = tuple[str, str]


def measure_trains(targets: Sequence[Target], budget_bps: float) -> dict[str, tuple[Way, Way]]:
    """Both directions of every link, by name. Trains put at most `budget_bps` on the machine. Raises OSError."""
    with ExitStack() as stack:
        surveys: dict[Key, Survey] = {}
        for one in targets:
            ends = ((one.pid_a, one.ip_a), (one.pid_b, one.ip_b))
            for name, (source, target) in (("a_to_b", ends), ("b_to_a", ends[::-1])):
                way = getattr(one.spec, name)
                if not way.unshaped:
                    surveys[one.name, name] = _survey(stack, way, one.spec.mtu, source, target)
        courses = Courses(stack.enter_context(select.epoll()), [survey.course for survey in surveys.values()])
        _trains({key: survey.small for key, survey in surveys.items() if survey.small}, surveys, courses, budget_bps)
        _fills(surveys, courses)
        left = {key: survey.full for key, survey in surveys.items() if survey.full and not survey.enough}
        for _ in range(1 + _REPEATS):
            _trains(left, surveys, courses, budget_bps)
            left = {key: train for key, train in left.items() if surveys[key].rate is None and surveys[key].course.arrived}
        found = {key: survey.result for key, survey in surveys.items()}
        return {one.name: (found.get((one.name, "a_to_b"), _CABLE), found.get((one.name, "b_to_a"), _CABLE)) for one in targets}


def _survey(stack: ExitStack, way: Direction, mtu: int, source: tuple[int, str], target: tuple[int, str]) -> Survey:
    into = stack.enter_context(socket_in(target[0], socket.AF_INET, socket.SOCK_DGRAM))
    granted = prepare(into, _BUFFER_BYTES)
    into.bind((target[1], 0))
    out = stack.enter_context(socket_in(source[0], socket.AF_INET, socket.SOCK_DGRAM))
    out.bind((source[1], 0))
    out.connect(into.getsockname())
    return Survey(way, mtu, Course(out, into), granted)


def _trains(trains: Mapping[Key, Train], surveys: Mapping[Key, Survey], courses: Courses, budget_bps: float) -> None:
    """Send each once, group after group, and wait for what arrives."""
    keys = list(trains)
    for members in groups([(key, trains[key]) for key in keys], budget_bps):
        group = [keys[index] for index in members]
        over = time.monotonic() + max(trains[key].frames * trains[key].frame_ns for key in group) / 1e9
        start = time.monotonic_ns()
        for number, key in enumerate(group):
            surveys[key].begin_train(trains[key], start + number * _STAGGER_NS)
        courses.send([surveys[key].course for key in group])
        # The frames leave the queues at the links' rates: the next group waits, or the sum would exceed the budget.
        while (left := over - time.monotonic()) > 0:
            courses.read(left)
    courses.wait([surveys[key].course for key in keys])
    for key in keys:
        surveys[key].end_train(trains[key])


def _fills(surveys: Mapping[Key, Survey], courses: Courses) -> None:
    """Fill the queues that can be filled, and let them drain."""
    fills = {key: survey.fill for key, survey in surveys.items() if isinstance(survey.fill, Fill)}
    left = affordable(fills)
    for key, survey in surveys.items():
        if isinstance(survey.fill, str):
            survey.give_up(survey.fill)
        elif key not in left:
            survey.give_up(f"filling all queues takes {sum(one.frames for one in fills.values())} frames; at most "
                           f"{MOST_FRAMES_IN_ALL} are sent, the shortest queues first")  # fmt: skip
    for _ in range(1 + _FILL_REPEATS):
        gate = _Gate(Admission({key: fills[key] for key in left}, _FILL_BUDGET_BPS), surveys, fills)
        courses.send([], gate)
        courses.wait([surveys[key].course for key in left])
        left = {key for key in left if not surveys[key].end_fill(fills[key])}
    for key in left:
        surveys[key].give_up(HELD_UP)


class _Gate:
    """Begins the fills that are admitted."""

    def __init__(self, admission: Admission[Key], surveys: Mapping[Key, Survey], fills: Mapping[Key, Fill]) -> None:
        self._admission, self._surveys, self._fills = admission, surveys, fills

    @property
    def over(self) -> bool:
        return self._admission.over

    def next(self, now_ns: int) -> Course | None:
        admitted = self._admission.next(now_ns)
        if admitted is None:
            return None
        key, filler = admitted
        self._surveys[key].begin_fill(self._fills[key], filler)
        return self._surveys[key].course
