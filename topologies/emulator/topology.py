"""The base of every topology: a Mininet `Topo` whose nodes and links carry what longhaul gives them.

It describes; it builds nothing. Subclasses declare settings, draw themselves in their docstring and call `host`,
`router` and `link` in `build`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from mininet.topo import Topo

import __main__
from topologies.emulator.hosts import LabNode
from topologies.emulator.links.spec import Direction, LinkError, LinkSpec, symmetric
from topologies.emulator.mininet_link import LonghaulLink
from topologies.emulator.places import Place
from topologies.emulator.plan import NodePlan, PlanError, PlannedLink, PlannedNode, PlannedPolicy, plan, seed_of
from topologies.emulator.routes import Cost
from topologies.emulator.setting import Configurable, count

SYN_FRAME = 74
"""Bytes of a SYN or SYN-ACK frame with Linux's options."""


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


@dataclass(frozen=True)
class LinkInfo:
    """A link with its name, its specification and where its RTT is from."""

    name: str
    a: str
    b: str
    spec: LinkSpec
    cost: Cost
    source: str = "set by the user"
    estimate: bool = False


class Topology(Configurable, Topo):  # type: ignore[misc]  # mininet has no types
    """A network of hosts and routers joined by links. `Topology(rtt="20ms")` takes settings as text, like `mn` does."""

    seed: int = count("1", "seed of everything random in the links", 0, 2**31)

    def __init__(self, **given: Any) -> None:
        self.nodes_info: list[NodeInfo] = []
        self.links_info: list[LinkInfo] = []
        self.policies: list[PlannedPolicy] = []
        self.warnings: list[str] = []
        self.configure({name: str(value) for name, value in given.items()})
        super().__init__()
        self._plan()

    def build(self) -> None:
        """Describe the network by calls of `host`, `router` and `link`."""
        raise NotImplementedError

    def host(self, name: str, role: str = "host", place: Place | None = None) -> str:
        """A host: it has `eth0` and does not forward."""
        if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", name):
            raise PlanError(f"could not add the node '{name}': that is no host name; use small letters, digits, dots, hyphens")
        self.nodes_info.append(NodeInfo(name, role, place))
        return name

    def router(self, name: str, place: Place | None = None) -> str:
        """A router: it forwards, and its interfaces are called for what they face."""
        return self.host(name, "router", place)

    def cable(self, a: str, b: str) -> None:
        """A plain cable inside a site: no delay, no rate, nothing emulated."""
        self.link(a, b, symmetric(0, None), source="cable")

    def link(
        self, a: str, b: str, spec: LinkSpec, *, name: str = "", source: str = "set by the user",
        estimate: bool = False, cost: Cost | None = None,
    ) -> None:  # fmt: skip
        """A link from `a` to `b`. Shortest paths add up `cost`, by default (delay in ms, hops)."""
        name = name or f"{a}-{b}"
        if any(link.name == name for link in self.links_info):
            raise LinkError(f"could not add link {name}: there is one of that name; give another name=")
        self.links_info.append(
            LinkInfo(name, a, b, spec, cost or (0.0, spec.rtt_ms / 2, 1.0), source, estimate)
        )  # fmt: skip

    def policy(self, router: str, source: str, destination: str, via: str) -> None:
        """A rule: at `router`, packets from `source` to `destination` go to its neighbour `via`. One way only."""
        self.policies.append(PlannedPolicy(router, source, destination, via))

    def shaped(
        self, name: str, rtt_ms: float, rate_bps: int | None, queue_bytes: int | None = None, **more: Any
    ) -> LinkSpec:
        """A symmetric specification with this topology's seed. Raises LinkError naming the link."""
        try:
            return symmetric(rtt_ms, rate_bps, queue_bytes, seed=seed_of(self.seed, name), **more)
        except LinkError as error:
            raise LinkError(f"could not specify link {name}: {error}; change its settings") from None

    def _plan(self) -> None:
        routers = {node.name for node in self.nodes_info if node.router}
        labels = {node.name: _label(node) for node in self.nodes_info}
        nodes = [PlannedNode(node.name, node.router, labels[node.name]) for node in self.nodes_info]
        self.plans: dict[str, NodePlan] = plan(nodes, [PlannedLink(x.a, x.b, x.cost) for x in self.links_info],
                                               self.policies)  # fmt: skip
        for node in self.nodes_info:
            self.addHost(node.name, cls=LabNode, plan=self.plans[node.name], forward=node.name in routers,
                         buffer_bytes=self.buffer_bytes, ip=f"{self.plans[node.name].address}/30")  # fmt: skip
        end = {(name, i.link): i for name, node_plan in self.plans.items() for i in node_plan.interfaces}
        for number, link in enumerate(self.links_info):
            a, b = end[link.a, number], end[link.b, number]
            self.addLink(link.a, link.b, cls=LonghaulLink, intfName1=a.name, intfName2=b.name,
                         addr1=a.mac, addr2=b.mac, spec=link.spec, link_name=link.name)  # fmt: skip

    def first(self, role: str) -> NodeInfo:
        """The first node with a role. Raises LinkError when the topology has none."""
        for node in self.nodes_info:
            if node.role == role:
                return node
        raise LinkError(f"could not choose the {role} of this lab: its topology has no {role}; add one by its settings")

    def path(self, a: str, b: str) -> tuple[float, int | None]:
        """Specified RTT in ms, and lowest rate in bit/s (None: no limit) from `b` to `a`, of the paths that packets take."""
        there, back = self._way(a, b), self._way(b, a)
        return sum(way.delay_ms for way in (*there, *back)), min((w.rate_bps for w in back if w.rate_bps), default=None)

    def handshake(self, a: str, b: str) -> tuple[float, float] | None:
        """(time, half width of its jitter) in ms of a TCP handshake of `a` with `b` when nothing else is on the path.

        None when the path loses packets: a SYN that was lost is sent again a second later.
        """
        ways = self._way(a, b) + self._way(b, a)
        if any(way.loss for way in ways):
            return None
        wire_ms = sum(SYN_FRAME * 8e3 / way.rate_bps for way in ways if way.rate_bps)
        return sum(way.delay_ms for way in ways) + wire_ms, sum(way.jitter_ms for way in ways)

    def _way(self, a: str, b: str) -> list[Direction]:
        policies = {(rule.router, rule.source, rule.destination): rule.via for rule in self.policies}
        found, at = list[Direction](), a
        while at != b:
            numbers = [i.link for i in self.plans[at].interfaces
                       if policies.get((at, a, b)) in (self.links_info[i.link].a, self.links_info[i.link].b)]  # fmt: skip
            link = self.links_info[(numbers or [self.plans[at].first_link[b]])[0]]
            found.append(link.spec.a_to_b if at == link.a else link.spec.b_to_a)
            at = link.b if at == link.a else link.a
            if len(found) > len(self.links_info):
                raise LinkError(f"could not find the path from {a} to {b}: policies send it round in circles; change them")
        return found

    @property
    def seed_demanded(self) -> bool:
        """Whether the user gave a seed and a link has something random in it: the same seed must then mean the same fate."""
        ways = [way for link in self.links_info for way in (link.spec.a_to_b, link.spec.b_to_a)]
        return "seed" in self.given and any(way.loss or way.jitter_ms for way in ways)

    @property
    def buffer_bytes(self) -> int:
        """Ceiling of the socket buffers: four times the bandwidth-delay product of the longest pair of links.

        At least 16 MiB, at most what the kernel takes (2 GiB). A ceiling under three of the product caps throughput (the BBR
        paper itself met it).
        """
        rtts = sorted((link.spec.rtt_ms for link in self.links_info), reverse=True)[:2]
        rates = [d.rate_bps or 0 for link in self.links_info for d in (link.spec.a_to_b, link.spec.b_to_a)]
        return min(2**31 - 1, max(16 * 2**20, round(4 * max(rates) / 8 * sum(rtts) / 1000)))


def _label(node: NodeInfo) -> str:
    """How a neighbour's interface calls it: a router by its place, a host without its place."""
    if node.place is None:
        return node.name
    if node.router:
        return node.name.removeprefix("router.").replace(".", "-")
    return node.name.removesuffix(f".{node.place.slug}").replace(".", "-")


def for_mininet(name: str, topology: type[Topology]) -> tuple[dict[str, type[Topology]], dict[str, type[LonghaulLink]]]:
    """The `topos` and `links` of a `mn --custom` file.

    Mininet 2.3.0's `mn` does not take `links` from a custom file (a comma is missing in its list of names), so the
    link is put into its table here when `mn` is what runs.
    """
    links = {"longhaul": LonghaulLink}
    if isinstance(getattr(__main__, "LINKS", None), dict):
        __main__.LINKS.update(links)
    return {name: topology}, links
