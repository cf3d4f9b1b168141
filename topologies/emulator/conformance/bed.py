"""The bench of the suite: two hosts and one link, built from what is claimed, measured, taken down. It judges nothing.

Only inside a sandbox. `distort` is for tests of the suite: the link that is built then differs from the one that is claimed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from topologies.emulator.conformance.echo import Echo
from topologies.emulator.conformance.flow import Flow
from topologies.emulator.conformance.tcp import Transfer
from topologies.emulator.lab import Lab
from topologies.emulator.links.backend import BackendError, UnsupportedError
from topologies.emulator.links.spec import Direction, LinkSpec, symmetric
from topologies.emulator.links.tolerance import REAL, Tolerance
from topologies.emulator.topology import Topology
from units import show_bps

NAME = "link"
_CABLE_S, _CABLES = 0.5, 3
_HEADROOM = 3.0
"""A link costs a machine some three times what a plain cable does; one that carries less than that is no witness."""


class Pair(Topology):
    """Two hosts and one link.

        a [eth0] ======== link ======== [eth0] b
    """

    def __init__(self, spec: LinkSpec, seeded: bool = False) -> None:
        self._spec = spec
        super().__init__(**({"seed": spec.seed} if seeded else {}))

    def build(self) -> None:
        """One link."""
        self.link(self.host("a"), self.host("b"), self._spec, name=NAME)


@dataclass(frozen=True)
class Link:
    """A link that runs; `spec` is what it claims to be."""

    spec: LinkSpec
    lab: Lab

    def end(self, host: str) -> tuple[int, str]:
        """(a process in its namespace, its address)."""
        return self.lab.node(host).pid, self.lab.address(host)

    def flow(self, way: str = "a_to_b", frame_bytes: int = 1514) -> Flow:
        """A flow of datagrams in one direction; close it."""
        source, target = way.split("_to_")
        return Flow(self.end(source), self.end(target), frame_bytes)

    def echo(self) -> Echo:
        """Echoes from a; close it."""
        return Echo(self.end("a"), self.end("b")[1])

    def tcp(self, first_window: int = 10) -> Transfer:
        """A TCP connection from a to b whose first window has so many segments; close it."""
        self.lab.node("a").tune({}, {"initcwnd": first_window})
        return Transfer(self.end("a"), self.end("b"), self.lab.topology.buffer_bytes)

    def change(self, **ways: Direction) -> int:
        """Make directions of it what is given; the moment (CLOCK_MONOTONIC, ns)."""
        return self.lab.links.change(NAME, ways)


class Bed:
    """Builds links, one after the other. `kinds` are the backends it had so far."""

    def __init__(self, link: str = "auto", *, tolerance: Tolerance = REAL,
                 distort: Callable[[LinkSpec], LinkSpec] = lambda spec: spec) -> None:  # fmt: skip
        self.tolerance = tolerance
        self.attempt = 1
        self.kinds: set[str] = set()
        self._link, self._distort = link, distort
        self._cables: list[float] = []

    @contextmanager
    def link(self, spec: LinkSpec, *, seeded: bool = False) -> Iterator[Link]:
        """A link that claims to be `spec`, between new hosts, until the body ends.

        Raises UnsupportedError, BackendError, and what else a lab does. `seeded` demands that the seed means something.
        """
        lab = Lab(Pair(self._distort(spec), seeded), self._link)
        try:
            if not spec.unshaped:
                self.kinds.add(lab.links.name)
            yield Link(spec, lab)
        finally:
            trouble = lab.links.alive()
            lab.net.stop()
            if trouble:  # whatever was measured meanwhile says nothing
                raise BackendError(f"could not measure without the links: {trouble}; run it again")

    def prepare(self) -> dict[str, Any]:
        """Build one plain link: how its backend runs. Raises UnsupportedError when this machine has not what was asked for."""
        with self.link(symmetric(20, 10_000_000)) as link:
            return {"backend": link.lab.links.name, **link.lab.links.describe()}

    def needs(self, rate_bps: float) -> None:
        """Raises UnsupportedError where even a plain cable of this machine does not carry enough to judge such a rate."""
        while self.cable_bps < _HEADROOM * rate_bps and len(self._cables) < _CABLES:
            self._cables.append(self._carried())
        if self.cable_bps < _HEADROOM * rate_bps:
            raise UnsupportedError(f"a plain cable of this machine carries {show_bps(self.cable_bps)}; {_HEADROOM:g} times "
                                   f"{show_bps(rate_bps)} is needed to judge a link of that rate")  # fmt: skip

    @property
    def cable_bps(self) -> float:
        """Payload a second of one TCP connection over a plain cable, packets of at most the MTU: the most that was seen, since
        a machine that is disturbed carries less."""
        if not self._cables:
            self._cables.append(self._carried())
        return max(self._cables)

    def _carried(self) -> float:
        with self.link(symmetric(0, None)) as cable, cable.tcp() as transfer:
            transfer.run(_CABLE_S)
            return transfer.received * 8 / _CABLE_S

    @cached_property
    def frames_per_s(self) -> float:
        """How many small frames a second a sender here may offer, so that neither machine nor link is overrun: a tenth of what
        the cable carries in full frames, at most 20,000."""
        return min(20_000.0, self.cable_bps / 12_000 / 10)
