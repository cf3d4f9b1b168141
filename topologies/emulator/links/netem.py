"""Links through the kernel's own shapers: veth pairs in a private namespace, a token bucket and netem in the middle.

It computes no parameter (`tc_plan.py` does) and starts no process that stays.

    node a          the wire namespace                                            node b
    ifname == a0 ---> x0 ======== y0 ---> u0 ======== v0 ---> b0 == ifname        == a veth pair, ---> a redirect
             gate     queue               line                wire                of a to b; b to a over v0 and y0
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from . import netem_chain, netem_order, netns, tc, tc_plan
from .backend import BackendError, Counters, End, Stretch, UnsupportedError
from .netem_ability import Ability, ability, ground, unsupported
from .netem_counts import Past, counted
from .packet_log import Log
from .spec import Direction, LinkSpec

__all__ = ["Ability", "NetemBackend", "ability", "unsupported"]


@dataclass(frozen=True)
class _Way:
    """One direction as it is now, and since when. `tries` counts the states of its wire: each has draws of its own."""

    plan: tc_plan.Plan
    past: Past
    apart: bool
    tries: int = 0
    since_ns: int = 0


@dataclass
class _Link:
    number: int
    ends: dict[str, End]
    spec: LinkSpec
    ground: tc_plan.Ground
    ways: dict[str, _Way]


class NetemBackend:
    """veth links shaped by the kernel, all in one wire namespace that lives as long as this object."""

    name = "netem"

    def __init__(self, found: Ability, why: str = "asked for", *, seed_demanded: bool = False) -> None:
        self._found, self._why, self._seed_demanded = found, why, seed_demanded
        self.early_ns = found.early_ns
        self._links: dict[str, _Link] = {}
        self._unordered = ""
        try:
            self._space = netns.fresh()
            with netns.entered_fd(self._space):
                netem_chain.quiet()
        except OSError as error:
            raise UnsupportedError(f"{error}; run as root, or where user namespaces are open") from error

    def connect(self, name: str, a: End, b: End, spec: LinkSpec) -> None:
        """See `Backend.connect`. Raises UnsupportedError for what netem would do with another meaning."""
        if name in self._links:
            raise ValueError(f"link '{name}' exists already")
        self._refuse(f"make the link {name}", unsupported(spec, self._found, seed_demanded=self._seed_demanded))
        link = _Link(len(self._links), {"a_to_b": a, "b_to_a": b}, spec, ground(spec, self._found), {})
        lines, places = tc_plan.path_lines(link.number), tc_plan.places(link.number)
        for way, at in places.items():
            one: Direction = getattr(spec, way)
            apart = tc_plan.needs_apart(None, one)
            plan = tc_plan.plan(one, link.ground, apart=apart)
            link.ways[way] = _Way(plan, Past(passes=link.ground.passes).with_(one), apart)
            lines += tc_plan.make_lines(at, plan, self._seed(name, way, one, spec, 0))
        try:
            with netns.entered_fd(self._space):
                netem_chain.lay(link.number, a, b, spec.mtu, passes=link.ground.passes)
                self._make_whole(link, spec)
                tc.batch(lines)
                self._unordered = self._unordered or netem_order.steer([at.gate for at in places.values()], link.number)
            netem_chain.raise_ends((a, b), passes=link.ground.passes)
        except (OSError, tc.TcError) as error:
            raise BackendError(f"could not make the link {name}: {getattr(error, 'strerror', None) or error}") from error
        self._links[name] = link

    def change(self, name: str, ways: Mapping[str, Direction], at_ns: int = 0) -> int:
        """See `Backend.change`; it waits for `at_ns`. Lines of `tc` take effect one after another, some 0.1 ms in all.

        What differs from the relay: when the rate changes, one burst of the bucket (a frame, and `bucket_ms` of the rate) is in
        the line already and leaves at the old rate; and one more enters the line at once, so the queue may hold so much more
        until it is next empty. A queue cannot change between bytes and packets.
        """
        if name not in self._links:
            raise ValueError(f"there is no link '{name}'")
        link = self._links[name]
        named: dict[str, Any] = dict(ways)
        spec = replace(link.spec, **named)
        reasons = unsupported(spec, self._found, seed_demanded=self._seed_demanded, made=link.ground)
        steps: list[tc_plan.Step] = []
        after = dict(link.ways)
        for way, at in tc_plan.places(link.number).items():
            old, one = link.ways[way], getattr(spec, way)
            apart = old.apart or tc_plan.needs_apart(getattr(link.spec, way), one)
            plan = tc_plan.plan(one, link.ground, apart=apart)
            if plan.fifo != old.plan.fifo:
                reasons.append(f"{way}: netem's queue cannot change between bytes and packets without losing what waits")
            tries = old.tries + (plan.wire != old.plan.wire)
            after[way] = _Way(plan, old.past.with_(one), apart, tries)
            steps += tc_plan.change_steps(at, old.plan, plan, self._seed(name, way, getattr(link.spec, way), spec, old.tries),
                                          self._seed(name, way, one, spec, tries))  # fmt: skip
        self._refuse(f"change the link {name}", reasons)
        with netns.entered_fd(self._space):
            try:
                self._make_whole(link, spec)
            except OSError as error:
                raise BackendError(f"could not change the link {name}: {error}; it is what it was") from error
            try:
                practice = tc_plan.practice(steps) * 2 if at_ns else ()
                done_ns = tc.batch([step.there for step in steps], at_ns=at_ns, first=practice)
            except (OSError, tc.TcError) as error:  # of an OSError nobody knows how many lines came before it
                refused = error.refused if isinstance(error, tc.TcError) else ()
                done = steps[: refused[0]] if refused else steps
                raise BackendError(f"could not change the link {name}: {error}; {_taken_back(done)}") from error
        link.spec = spec
        link.ways = {way: replace(one, since_ns=done_ns) if way in ways else one for way, one in after.items()}
        return done_ns

    def changed_ns(self, name: str, ways: Iterable[str]) -> int:
        """See `Backend.changed_ns`."""
        return max(self._links[name].ways[way].since_ns for way in ways)

    def draw_anew(self, draws: str) -> None:
        """See `Backend.draw_anew`: the kernel's generators go on."""

    def counters(self) -> Counters:
        """From the qdiscs and interfaces, asked twice: where nothing moved in between, the balance must close.

        Raises BackendError when a node is gone: the ends of its links went with it, and what they had counted.
        """
        with netns.entered_fd(self._space):
            first, second = tc.statistics(), tc.statistics()
            refused = netem_chain.refused()
        found: Counters = {}
        for name, link in self._links.items():
            if not {f"a{link.number}", f"b{link.number}"} <= refused.keys():
                raise BackendError(f"could not count what passed the link {name}: one of its nodes is gone")
            found[name] = {way: counted(at, first, second, refused, link.ways[way].past, netem_chain.overrun(link.ends[way]))
                           for way, at in tc_plan.places(link.number).items()}  # fmt: skip
        return found

    def watch(self, on: bool) -> Stretch:
        """See `Backend.watch`: netem does not tell its lateness."""
        return Stretch({}, None)

    def note_packets(self, snap_bytes: int) -> None:
        """See `Backend.note_packets`."""
        raise UnsupportedError("could not log what becomes of each packet: netem does not tell; use --link relay, or leave "
                               "capture.relay out")  # fmt: skip

    def noted_packets(self) -> Log:
        """See `Backend.noted_packets`."""
        return Log((), 0)

    def alive(self) -> str:
        """The kernel does not stop working while the namespace is held."""
        return "" if self._space >= 0 else "the links were closed"

    def describe(self) -> dict[str, Any]:
        """How it runs."""
        return {"backend": self.name, "why": self._why, "tc": self._found.tc_version, "seed_honoured": self._found.seed,
                "bucket_ms": self._found.late_s * 1e3,
                "order": self._unordered or "each link on one processor"}  # fmt: skip

    def close(self) -> None:
        """Let go of the wire namespace; its interfaces go with it, and with them their peers in the nodes."""
        if self._space >= 0:
            os.close(self._space)
            self._space = -1

    def _seed(self, name: str, way: str, one: Direction, spec: LinkSpec, tries: int) -> str:
        """Links, directions and successive states get different seeds: a change makes the kernel begin its draws again."""
        if not (self._found.seed and one.effects):
            return ""
        return f" seed {zlib.crc32(f'{spec.seed} {name} {way} {tries}'.encode())}"

    def _make_whole(self, link: _Link, spec: LinkSpec) -> None:
        for way, at in tc_plan.places(link.number).items():
            if getattr(spec, way).has("corrupt"):
                netem_chain.make_whole(at.line)

    def _refuse(self, attempt: str, reasons: list[str]) -> None:
        if reasons:
            raise UnsupportedError(f"could not {attempt}: {'; '.join(reasons)}; use --link relay")


def _taken_back(done: list[tc_plan.Step]) -> str:
    """Tries to take back a change that failed half-way, and says in words how that went."""
    try:
        tc.batch([step.back for step in reversed(done)])
    except (OSError, tc.TcError) as error:
        return f"it could not be taken back either ({error}), so the link may be another now: build the lab again"
    return "it was taken back, so the link is what it was"
