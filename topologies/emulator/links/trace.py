"""A rate that follows a recording: chances to deliver 1500 bytes each, in mahimahi's format. It is no capture of packets.

A file has one integer a line, the millisecond of a chance; several may share one. After the last it begins again, so the last
is also its period. See R. Netravali et al., Mahimahi: Accurate Record-and-Replay for HTTP, USENIX ATC 2015, and mm-link(1).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

CHANCE_BYTES = 1500
"""Of IP packets, without the Ethernet header: a full packet takes one chance. Unlike rates, which count frames."""

_WHOLE = re.compile(r"[+-]?\d{1,19}", re.ASCII)

MOST_CHANCES = 2_000_000
"""A gigabit per second for 24 seconds; longer recordings are cut by their owner, knowingly."""


LONGEST_MS = 7 * 24 * 3_600_000
LONGEST_PAUSE_MS = 60_000
"""Between two chances, the turn from the last to the first included: a longer one is `down` by a schedule, not a rate."""


class TraceError(ValueError):
    """A trace that cannot be used; the message names the line."""


@dataclass(frozen=True)
class Trace:
    """Ascending milliseconds; `name` says where it is from."""

    times_ms: tuple[int, ...] = field(repr=False)
    name: str = "trace"

    def __post_init__(self) -> None:
        times = self.times_ms
        if not times:
            raise TraceError(f"trace {self.name} has no line: it never delivers anything")
        if len(times) > MOST_CHANCES:
            raise TraceError(f"trace {self.name} has {len(times)} lines where {MOST_CHANCES} are the most; cut it")
        if times[0] < 0:
            raise TraceError(f"trace {self.name}: line 1 is {times[0]}; times are not negative")
        for number in range(1, len(times)):
            if times[number] < times[number - 1]:
                raise TraceError(f"trace {self.name}: line {number + 1} is {times[number]} after {times[number - 1]}; sort it")
        if times[-1] > LONGEST_MS:
            raise TraceError(f"trace {self.name} ends at {times[-1]} ms where {LONGEST_MS} is the most (a week); cut it")
        pause_ms = max(times[0], *(later - sooner for sooner, later in pairwise(times))) if len(times) > 1 else times[0]
        if pause_ms > LONGEST_PAUSE_MS:
            raise TraceError(f"trace {self.name} delivers nothing for {pause_ms} ms where {LONGEST_PAUSE_MS} is the most; "
                             "use a schedule with `down` for longer outages")  # fmt: skip
        if times[-1] == 0:
            raise TraceError(f"trace {self.name} ends at 0 ms: the last line is its period and must be at least 1")

    @property
    def period_ms(self) -> int:
        """When it begins again."""
        return self.times_ms[-1]

    @property
    def mean_bps(self) -> float:
        """What it delivers in the long run, in bits of IP packets."""
        return len(self.times_ms) * CHANCE_BYTES * 8e3 / self.period_ms

    def as_dict(self) -> dict[str, Any]:
        """For `links.json`: what it is, not the whole of it; `sha256` is that of its lines."""
        from hashlib import sha256  # the relay's workers import this file, and OpenSSL takes 4 MB of each

        digest = sha256("".join(f"{time}\n" for time in self.times_ms).encode()).hexdigest()
        return {"name": self.name, "chances": len(self.times_ms), "period_ms": self.period_ms, "mean_bps": self.mean_bps,
                "sha256": digest}  # fmt: skip


def parse(text: str, name: str = "trace") -> Trace:
    """From the content of a file; a last line may lack its end. Raises TraceError."""
    times: list[int] = []
    for number, line in enumerate(text.splitlines(), 1):
        if len(times) > MOST_CHANCES:
            break
        if not _WHOLE.fullmatch(line):
            raise TraceError(f"trace {name}: line {number} is {line[:40]!a}, not a whole number of milliseconds")
        times.append(int(line))
    return Trace(tuple(times), name)


def load(path: str | Path) -> Trace:
    """From a file. Raises TraceError."""
    try:
        if not os.path.isfile(path) and os.path.exists(path):
            raise TraceError(f"could not read the trace {path}: it is no file; write the recording to one")
        with open(path, encoding="ascii") as file:
            # No line of a sound trace is longer than 20 characters, so a huge file is not read to its end.
            return parse(file.read(20 * (MOST_CHANCES + 1)), str(path))
    except UnicodeDecodeError:
        raise TraceError(f"trace {path} is not text") from None
    except OSError as error:
        raise TraceError(f"could not read the trace {path}: {error.strerror}; check its path") from None
