"""What every link backend offers.

It is not a backend: `relay_backend.py` and `netem.py` are, and `choice.py` chooses. Unshaped links need none: `veth.py` lays
them as plain cables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

from .packet_log import Log
from .spec import Direction, LinkSpec


class UnsupportedError(RuntimeError):
    """This machine cannot do it; the message says what was attempted, why it failed, and what would change that."""


class BackendError(RuntimeError):
    """A link or a backend that failed although the machine should be able to; the message has the kernel's words."""


@dataclass(frozen=True)
class End:
    """One end of a link: any process in the node's network namespace, and the interface to make there.

    `ifname` has at most 15 characters (the kernel's limit); `mac` is written `02:00:00:00:00:01`.
    """

    pid: int
    ifname: str
    mac: str


@dataclass(frozen=True)
class DirectionCounters:
    """What became of the frames of one direction since it was made.

    `packets` and `bytes` were offered to the direction; each was `delivered`, `dropped_queue` (the queue was full),
    `dropped_codel` (CoDel took it), `dropped_down` (the link was down), `lost` (on the wire, as specified), `failed` (the
    receiving interface refused it, which a sound link never shows; of those the machine was too slow for `stranded`), or is
    still under way (`held`). `duplicated` copies come
    on top of them; `corrupted` and `overtook` were delivered all the same. `overrun` frames never reached the emulation: the
    machine was too slow. `unexplained` frames are missing from this balance, or from the kernel's own counts at both ends.
    `backlog_bytes` and `backlog_packets` wait in the kernel's own queues. Lateness is release minus due
    in nanoseconds, `lateness` its histogram as (at most so many ns, frames) in ascending order; `intake_wait_max_ns` bounds
    how long a frame waited before it was read, seen only while the relay could not keep up. A backend that cannot know a
    number reports None, never 0.
    """

    packets: int
    bytes: int
    delivered: int
    dropped_queue: int
    lost: int | None = None
    failed: int | None = None
    dropped_codel: int | None = None
    dropped_down: int | None = None
    duplicated: int | None = None
    corrupted: int | None = None
    overtook: int | None = None
    held: int | None = None
    overrun: int | None = None
    unexplained: int | None = None
    stranded: int | None = None
    backlog_bytes: int | None = None
    backlog_packets: int | None = None
    lateness: list[tuple[int, int]] | None = None
    lateness_p50_ns: int | None = None
    lateness_p99_ns: int | None = None
    lateness_max_ns: int | None = None
    intake_wait_max_ns: int | None = None

    def since(self, before: DirectionCounters) -> DirectionCounters:
        """What came on top of `before`. What no sound link ever shows (`failed`, `overrun`, `unexplained`), what is there now
        and the lateness stay as they are."""
        moved: dict[str, Any] = {}
        for name in _ADDITIVE:
            now, then = getattr(self, name), getattr(before, name)
            moved[name] = None if now is None or then is None else now - then
        return replace(self, **moved)

    def as_dict(self) -> dict[str, Any]:
        """For `links.json`."""
        return asdict(self)


_ADDITIVE = ("packets", "bytes", "delivered", "dropped_queue", "lost", "dropped_codel", "dropped_down", "duplicated",
             "corrupted", "overtook")  # fmt: skip

Counters = dict[str, dict[str, DirectionCounters]]
"""Link name -> `a_to_b` and `b_to_a` -> counters. Unshaped links are plain cables and are not listed."""


@dataclass(frozen=True)
class Stretch:
    """How punctual a backend was for a while, in nanoseconds.

    `late_ns` has link -> way -> (99th percentile, maximum) of the lateness of what passed; ways that nothing passed, and
    backends that cannot know, are missing. `stall_ns` is the longest time for which the backend did not run although it
    meant to: what arrived meanwhile waited unseen. None: it cannot know.
    """

    late_ns: dict[str, dict[str, tuple[int, int]]]
    stall_ns: int | None


class Backend(Protocol):
    """Makes links and answers for them until it is closed."""

    name: str
    early_ns: int
    """A change for a moment is told so long before it, or it comes late."""

    def connect(self, name: str, a: End, b: End, spec: LinkSpec) -> None:
        """Both interfaces exist afterwards, up, with MTU and MAC, offloads off. Raises BackendError or
        UnsupportedError; a link name given twice is a ValueError."""

    def change(self, name: str, ways: Mapping[str, Direction], at_ns: int = 0) -> int:
        """Make one or both directions (`a_to_b`, `b_to_a`) of a running link what is given; MTU and seed stay.

        Now, or at `at_ns` (CLOCK_MONOTONIC) if that is to come: a backend that can be told ahead returns at once, with that
        moment, and `changed_ns` says whether it was kept; another one waits for it.

        Each direction changes at once and as a whole: no frame sees half of it, none in the queue or on the wire is lost, and
        what is on the wire keeps the moment at which it arrives. Returns when it was done (CLOCK_MONOTONIC, ns). Raises
        BackendError, UnsupportedError, LinkError.
        """

    def changed_ns(self, name: str, ways: Iterable[str]) -> int:
        """When the last change of those directions was made (CLOCK_MONOTONIC), of all the last; waits for one to come."""

    def draw_anew(self, draws: str) -> None:
        """From now on chance draws from the beginning, as each link's seed and `draws` (any text) have it, so that what was
        sent before does not matter. A backend that does not promise the same fates for the same seed does nothing."""

    def counters(self) -> Counters:
        """Of all shaped links, now. Raises BackendError when the backend no longer works."""

    def watch(self, on: bool) -> Stretch:
        """Begin or end a stretch whose lateness counts, for example one trial; at its end, what it was like.

        From the first call on, `watch(False)` too, the lateness of `counters` is anew, and of the whole time.
        """

    def note_packets(self, snap_bytes: int) -> None:
        """Write down, until `noted_packets`, what becomes of every frame, with so many of its bytes. Raises UnsupportedError
        where the backend does not know."""

    def noted_packets(self) -> Log:
        """What was written down since `note_packets`; no more is. Raises BackendError."""

    def alive(self) -> str:
        """Empty, or why the backend no longer works."""

    def describe(self) -> dict[str, Any]:
        """How it runs (for `manifest.json`): scheduling class, tool versions, why it was chosen."""

    def close(self) -> None:
        """Take everything down; a second call does nothing."""
