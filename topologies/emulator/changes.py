"""What the settings `changes` and `schedule` make of a topology's links. It is pure: it describes links and touches none.

Both are texts of `WHICH LINK: WHAT`, separated by `|`: `virginia-mumbai: loss 1% | mumbai>chennai: delay 10ms`. See
`selecting.py` for the first half, `links/change.py` and `links/schedule.py` for the second.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from topologies.emulator import selecting
from topologies.emulator.links import change, schedule
from topologies.emulator.links.change import Change
from topologies.emulator.links.schedule import Schedule
from topologies.emulator.links.spec import Direction, LinkError, LinkSpec, derived_queue
from topologies.emulator.parts import WAYS, LinkInfo
from units import show_ms

Schedules = dict[str, dict[str, Schedule]]
"""Link name -> direction -> what happens to it when."""


@dataclass(frozen=True)
class Moment:
    """A link's state from `at_ms` on, `ways` of which change then."""

    at_ms: float
    link: str
    spec: LinkSpec
    ways: tuple[str, ...]


def changed(links: Sequence[LinkInfo], text: str) -> list[LinkInfo]:
    """The links as the setting `changes` has them. Raises LinkError.

    A later change of the same thing wins. A queue that was derived is derived again where the rate or a delay became another.
    """
    asked: dict[str, list[tuple[str, Change]]] = {}
    for which, words in _clauses(text, "changes", "virginia-mumbai: loss 1% jitter 2ms"):
        chosen = selecting.several(links, which)
        with explained(f"could not change {which}"):
            wanted = change.parse(words)
        for link, ways in chosen:
            asked.setdefault(link.name, []).extend((way, wanted) for way in ways)
    found = []
    for link in links:
        with explained(f"could not change link {link.name}"):
            found.append(_become(link, _respecified(link, asked[link.name])) if link.name in asked else link)
    return found


def _become(link: LinkInfo, spec: LinkSpec) -> LinkInfo:
    if spec.rtt_ms == link.spec.rtt_ms:
        return replace(link, spec=spec)
    return replace(link, spec=spec, source="set by the user", estimate=False)


def _respecified(link: LinkInfo, wanted: Sequence[tuple[str, Change]]) -> LinkSpec:
    spec = link.spec
    ways = {way: getattr(spec, way) for way in WAYS}
    given = {way for way in WAYS if spec.queue_rule == "given"}
    touched = set[str]()
    for way, one in wanted:
        ways[way] = one.apply(ways[way])
        touched |= one.touches
        if "queue" in one.touches:
            given.add(way)
    rules = {way: "given" if way in given else spec.queue_rule for way in WAYS}
    if touched & {"rate", "delay"}:
        path_ms = spec.rtt_ms if link.path_ms is None else link.path_ms
        path_ms += sum(way.delay_ms for way in ways.values()) - spec.rtt_ms
        for way in (way for way in WAYS if way not in given):
            queue_bytes, rules[way] = derived_queue(ways[way].nominal_bps, path_ms, spec.mtu)
            ways[way] = replace(ways[way], queue_bytes=queue_bytes, queue_packets=None)
    same = rules["a_to_b"] == rules["b_to_a"]
    rule = rules["a_to_b"] if same else "; ".join(f"{way}: {rules[way]}" for way in WAYS)
    return _checked(spec, **ways, queue_rule=rule)


def _checked(spec: LinkSpec, **fields: Any) -> LinkSpec:
    try:
        return replace(spec, **fields)
    except LinkError as error:
        raise LinkError(f"{error}; choose values that can be built") from None


def schedules(links: Sequence[LinkInfo], text: str) -> Schedules:
    """Those of the topology file and of the setting `schedule` together. Raises LinkError when they overlap."""
    found: dict[tuple[str, str], list[Schedule]] = {}
    for link in links:
        if link.schedule:
            with explained(f"could not schedule link {link.name}"):
                _add(found, (link, WAYS), link.schedule)
    for which, steps in _clauses(text, "schedule", "virginia-mumbai: at 20s rate 20mbit; from 30s to 40s down"):
        for chosen in selecting.several(links, which):
            with explained(f"could not schedule link {chosen[0].name}"):
                _add(found, chosen, steps)
    result: Schedules = {}
    for (name, way), several in found.items():
        with explained(f"could not schedule link {name}"):
            result.setdefault(name, {})[way] = schedule.merged(several)
    return result


def _add(found: dict[tuple[str, str], list[Schedule]], chosen: selecting.Chosen, steps: str) -> None:
    link, ways = chosen
    if link.spec.unshaped:
        raise LinkError("it is a plain cable, which nothing emulates; give it a delay or a rate first")
    for way in ways:
        found.setdefault((link.name, way), []).append(schedule.parse(steps))


def timeline(name: str, base: LinkSpec, ways: Mapping[str, Schedule]) -> list[Moment]:
    """A link's states from `base` on, ascending. Raises LinkError for one that cannot be, with its time."""
    states: dict[float, dict[str, Direction]] = {}
    for way, steps in ways.items():
        for at_ms, state in steps.timeline(getattr(base, way)):
            states.setdefault(at_ms, {})[way] = state
    found, spec = list[Moment](), base
    for at_ms in sorted(states):
        with explained(f"could not schedule link {name}: {show_ms(at_ms)}"):
            spec = _checked(spec, **states[at_ms])
        found.append(Moment(at_ms, name, spec, tuple(way for way in WAYS if way in states[at_ms])))
    return found


@contextmanager
def explained(attempt: str) -> Iterator[None]:
    """An error of the body reads `ATTEMPT: CAUSE; WHAT TO DO`."""
    try:
        yield
    except ValueError as error:
        said = str(error)
        raise LinkError(f"{attempt}: {said}" + ("" if ";" in said else "; change it")) from None


def _clauses(text: str, setting: str, example: str) -> list[tuple[str, str]]:
    """(which link, what) in order."""
    found = []
    for part in text.split("|"):
        which, colon, what = part.partition(":")
        if not part.strip():
            continue
        if not colon or not which.strip() or not what.strip():
            raise LinkError(f"could not set {setting} to '{text}': '{part.strip()}' is not LINK: WHAT; "
                            f"write for example {example}")  # fmt: skip
        found.append((which.strip(), what.strip()))
    return found
