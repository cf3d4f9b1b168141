"""Faults at given times: `from 5s to 15s cut az1.virginia; at 20s kill edge1.az1.mumbai`. It reads no clock and does nothing.

Every fault has its opposite: kill and restart, pause and resume, cut and heal, slow and restore; `from ... to` does both. What
a link becomes that is slowed stands behind its name: `slow az1.virginia delay 40ms rate 5mbit`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from topologies.emulator.links import change
from topologies.emulator.links.schedule import timed
from topologies.emulator.links.spec import LinkError

OPPOSITES = {"kill": "restart", "pause": "resume", "cut": "heal", "slow": "restore"}
VERBS = (*OPPOSITES, *OPPOSITES.values())

_EXAMPLE = "from 5s to 15s cut az1.virginia; at 20s kill edge1.az1.mumbai"


class TimetableError(ValueError):
    """A timetable that cannot be played; the message says why and what to write."""


@dataclass(frozen=True)
class Step:
    """What is done `at_ms` after the beginning, and to whom; `words` say what a link becomes that is slowed."""

    at_ms: float
    verb: str
    what: str
    words: str = ""


def parse(text: str) -> tuple[Step, ...]:
    """Steps in ascending order of their times, from text: parts separated by semicolons, in any order. Raises TimetableError
    for one that nobody can carry out: what is killed is killed again, what is not cut is healed."""
    found: list[Step] = []
    for part in filter(None, (part.strip() for part in text.split(";"))):
        try:
            at_ms, until_ms, words = timed(part, _EXAMPLE)
        except LinkError as error:
            raise TimetableError(f"could not read the timetable '{text}': {error}") from None
        verb, what, become = _words(text, words)
        found.append(Step(at_ms, verb, what, become))
        if until_ms is not None:
            if verb not in OPPOSITES:
                raise TimetableError(f"could not read the timetable '{text}': {verb} has no end; write at instead of from")
            found.append(Step(until_ms, OPPOSITES[verb], what))
    if not found:
        raise TimetableError(f"could not read the timetable '{text}': it has no step; write for example {_EXAMPLE}")
    found.sort(key=lambda step: step.at_ms)
    _refuse_impossible(text, found)
    return tuple(found)


def slower(words: str) -> str:
    """Words for a link that is slowed, as they were given. Raises LinkError for what is none, or cuts it."""
    if "down" in change.parse(words).touches:
        raise LinkError(f"'{words}' does not slow a link but takes it down or up; write cut and heal for that")
    return words


def _words(text: str, words: str) -> tuple[str, str, str]:
    verb, _, rest = words.partition(" ")
    what = " ".join(rest.split())
    if verb not in VERBS or not what:
        raise TimetableError(f"could not read the timetable '{text}': '{words}' is not one of {', '.join(VERBS)} and a name; "
                             f"write for example {_EXAMPLE}")  # fmt: skip
    if verb != "slow":
        return verb, what, ""
    what, _, become = what.partition(" ")
    try:
        return verb, what, slower(become)
    except LinkError as error:
        raise TimetableError(f"could not read the timetable '{text}': {error}") from None


def _refuse_impossible(text: str, steps: Sequence[Step]) -> None:
    ends = {end: begin for begin, end in OPPOSITES.items()}
    lasting: set[tuple[str, str]] = set()
    for step in steps:
        fault = (ends.get(step.verb, step.verb), step.what)
        if (step.verb in OPPOSITES) == (fault in lasting):
            why = "lasts already" if step.verb in OPPOSITES else "was not there before"
            raise TimetableError(f"could not read the timetable '{text}': {step.verb} {step.what} at {step.at_ms / 1e3:g} s: "
                                 f"the fault {why}; move or leave out one of them")  # fmt: skip
        (lasting.add if step.verb in OPPOSITES else lasting.discard)(fault)
