"""The parts that a topology describes: nodes with what they are for, links with what they are asked to be. They do nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from topologies.emulator.links.spec import LinkSpec
from topologies.emulator.places import Place
from topologies.emulator.routes import Cost

WAYS = ("a_to_b", "b_to_a")


@dataclass(frozen=True)
class NodeInfo:
    """What a node is for: its role in the study, and where it stands."""

    name: str
    role: str
    place: Place | None = None

    @property
    def router(self) -> bool:
        """Whether it forwards."""
        return self.role == "router"

    @property
    def label(self) -> str:
        """How a neighbour's interface calls it: a router by its place, a host without its place."""
        if self.place is None:
            return self.name
        if self.router:
            return self.name.removeprefix("router.").replace(".", "-")
        return self.name.removesuffix(f".{self.place.slug}").replace(".", "-")


@dataclass(frozen=True)
class LinkInfo:
    """A link with its name, its specification, where its RTT is from, and the schedule its file gives it (as text).

    `path_ms` is the RTT of the path from which its queue is derived when nobody gives one; None: its own.
    """

    name: str
    a: str
    b: str
    spec: LinkSpec
    cost: Cost
    source: str = "set by the user"
    estimate: bool = False
    schedule: str = ""
    path_ms: float | None = None


Relation = Literal["customer", "peer", "listener"]
"""What the second network of a peering is to the first. A listener is told what is announced for it alone, announces nothing
and may be several hops away, as an edge site inside an ISP is for that ISP's BGP."""


@dataclass(frozen=True)
class SystemInfo:
    """An autonomous system with one router. It announces the networks of `hosts` (each a /30) to everybody it should."""

    router: str
    asn: int
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class PeeringInfo:
    """Two systems, by their routers, that speak BGP. It is no link: `link` makes those."""

    a: str
    b: str
    relation: Relation
