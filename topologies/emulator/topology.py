"""The base of every topology: a Mininet `Topo` whose nodes and links carry what longhaul gives them.

It describes; it builds nothing. Subclasses declare settings, draw themselves in their docstring and call `host`,
`router` and `link` in `build`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from mininet.topo import Topo

import __main__
from topologies.emulator import changes
from topologies.emulator.changes import Moment, Schedules
from topologies.emulator.hosts import LabNode
from topologies.emulator.links.spec import LinkError, LinkSpec, symmetric
from topologies.emulator.mininet_link import LonghaulLink
from topologies.emulator.parts import WAYS, LinkInfo, NodeInfo, PeeringInfo, Relation, SystemInfo
from topologies.emulator.places import Place
from topologies.emulator.plan import NodePlan, PlanError, PlannedLink, PlannedNode, PlannedPolicy, plan, seed_of
from topologies.emulator.routes import Cost
from topologies.emulator.setting import Configurable, choice, count, text

SYN_FRAME = 74
"""Bytes of a SYN or SYN-ACK frame with Linux's options."""


class Topology(Configurable, Topo):  # type: ignore[misc]  # mininet has no types
    """A network of hosts and routers joined by links. `Topology(rtt="20ms")` takes settings as text, like `mn` does."""

    seed: int = count("1", "seed of everything random in the links", 0, 2**31)
    changes: str = text("", "what single links have otherwise: a-b: loss 1% jitter 2ms | b>c: delay 10ms | *: rate 1gbit "
                        "(routes stay)")  # fmt: skip
    schedule: str = text("", "what links become while the lab runs: a-b: at 20s rate 20mbit; from 30s to 40s down | b>c: ...")
    segments: str = choice("auto", "frames: packets of at most the MTU; passed: segments of 64 KB pass whole; auto: by a rule",
                           "auto", "frames", "passed")  # fmt: skip

    def __init__(self, **given: Any) -> None:
        self.nodes_info: list[NodeInfo] = []
        self.links_info: list[LinkInfo] = []
        self.policies: list[PlannedPolicy] = []
        self.systems: dict[str, SystemInfo] = {}
        self.peerings: list[PeeringInfo] = []
        self.warnings: list[str] = []
        self._path_ms: dict[str, float] = {}
        self.configure({name: str(value) for name, value in given.items()})
        super().__init__()
        self._settle()
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
        estimate: bool = False, cost: Cost | None = None, schedule: str = "",
    ) -> None:  # fmt: skip
        """A link from `a` to `b`. Shortest paths add up `cost`, by default (delay in ms, hops).

        `schedule` says what both directions become while the lab runs: `at 20s rate 20mbit; from 30s to 40s down`.
        """
        name = name or f"{a}-{b}"
        if any(link.name == name for link in self.links_info):
            raise LinkError(f"could not add link {name}: there is one of that name; give another name=")
        self.links_info.append(LinkInfo(name, a, b, spec, cost or (0.0, spec.rtt_ms / 2, 1.0), source, estimate, schedule,
                                        self._path_ms.get(name)))  # fmt: skip

    def policy(self, router: str, source: str, destination: str, via: str) -> None:
        """A rule: at `router`, packets from `source` to `destination` go to its neighbour `via`. One way only."""
        self.policies.append(PlannedPolicy(router, source, destination, via))

    def system(self, router: str, asn: int, *hosts: str) -> None:
        """A router is an autonomous system of its own, which announces the networks of these hosts."""
        self.systems[router] = SystemInfo(router, asn, hosts)

    def peering(self, a: str, b: str, relation: Relation) -> None:
        """Two systems speak BGP; `b` is a customer, a peer or a listener of `a`. An experiment has them do it: it tells nodes
        of routes that the plan does not have, such as those to an anycast address."""
        if unknown := [name for name in (a, b) if name not in self.systems]:
            raise PlanError(f"could not join {a} and {b} by BGP: {unknown[0]} is no autonomous system; call system() first")
        self.peerings.append(PeeringInfo(a, b, relation))

    def shaped(
        self, name: str, rtt_ms: float, rate_bps: int | None, queue_bytes: int | None = None, **more: Any
    ) -> LinkSpec:
        """A symmetric specification with this topology's seed. Raises LinkError naming the link."""
        if more.get("path_rtt_ms") is not None:
            self._path_ms[name] = more["path_rtt_ms"]
        try:
            return symmetric(rtt_ms, rate_bps, queue_bytes, seed=seed_of(self.seed, name), **more)
        except LinkError as error:
            raise LinkError(f"could not specify link {name}: {error}; change its settings") from None

    def changed(self, what: str) -> Topology:
        """This topology with further `changes`: for predictions of what an experiment changes while it runs."""
        kept = {name: self.texts[name] for name in self.given}
        return type(self)(**{**kept, "changes": " | ".join(filter(None, (self.changes, what)))})

    def _settle(self) -> None:
        """The links as the settings have them, their schedules, and their states to come."""
        cables = {link.name for link in self.links_info if link.spec.unshaped}
        links = [replace(link, spec=replace(link.spec, seed=seed_of(self.seed, link.name)))
                 if link.name in cables and not link.spec.unshaped else link
                 for link in changes.changed(self.links_info, self.changes)]  # fmt: skip
        if self.segments != "auto":
            for number, link in enumerate(links):
                if not link.spec.unshaped:
                    with changes.explained(f"could not specify link {link.name}"):
                        links[number] = replace(link, spec=replace(link.spec, segments=self.segments))
        self.schedules: Schedules = changes.schedules(links, self.schedule)
        self.links_info = links
        self.specs: dict[str, LinkSpec] = {link.name: link.spec for link in links}
        """What the links are now, by name: as specified, until a running lab changes them."""
        self.timeline()  # refuses what cannot be before anything is built
        if self.schedules and _under_mn():
            raise LinkError("could not schedule links under mn: it makes links and never changes them; use longhaul shell")

    def timeline(self, specs: Mapping[str, LinkSpec] | None = None) -> list[Moment]:
        """What the schedules make of the links when, from these states on (default: as specified). Raises LinkError."""
        base = {link.name: link.spec for link in self.links_info} if specs is None else specs
        moments = [one for name, ways in self.schedules.items() for one in changes.timeline(name, base[name], ways)]
        return sorted(moments, key=lambda moment: moment.at_ms)

    def schedule_texts(self, link: str) -> dict[str, str]:
        """The schedule of each direction of a link that has one, as text."""
        return {way: steps.text for way, steps in self.schedules.get(link, {}).items()}

    def states(self) -> Iterator[tuple[str, LinkSpec]]:
        """Every state that its links will have, with their names: as specified, and as their schedules make them."""
        yield from ((link.name, link.spec) for link in self.links_info)
        yield from ((moment.link, moment.spec) for moment in self.timeline())

    def _plan(self) -> None:
        routers = {node.name for node in self.nodes_info if node.router}
        nodes = [PlannedNode(node.name, node.router, node.label) for node in self.nodes_info]
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

    def named(self, address: str) -> str:
        """The node that is known by an address; empty when none is."""
        return next((name for name, plan in self.plans.items() if plan.address == address), "")

    def path(self, a: str, b: str) -> tuple[float, float | None]:
        """RTT in ms, and lowest rate in bit/s (None: no limit) from `b` to `a`, of the paths that packets take, as the links
        are now. A trace counts by its mean."""
        there, back = ([getattr(self.specs[link.name], way) for link, way in self.hops(*ends)] for ends in ((a, b), (b, a)))
        return (sum(way.delay_ms for way in (*there, *back)),
                min((way.nominal_bps for way in back if way.nominal_bps), default=None))  # fmt: skip

    def handshake(self, a: str, b: str, specs: Mapping[str, LinkSpec] | None = None) -> tuple[float, float] | str:
        """(time, half width of its jitter) in ms of a TCP handshake of `a` with `b` when nothing else is on the path, as the
        links are in `specs` (default: now). Text where that cannot be known: why."""
        rtt_ms = chance_ms = 0.0
        for link, way in (*self.hops(a, b), *self.hops(b, a)):
            one = getattr((specs or self.specs)[link.name], way)
            doubts = {"it is down": not one.up, "it loses packets": one.loss, "it corrupts packets": one.has("corrupt"),
                      "packets overtake on it": one.has("reorder"), "its rate is a trace's": one.trace}  # fmt: skip
            for doubt in (words for words, there in doubts.items() if there):
                return f"link {link.name}: {doubt}, so that no handshake has a time of its own"
            rtt_ms += one.delay_ms + (SYN_FRAME * 8e3 / one.rate_bps if one.rate_bps else 0.0)
            chance_ms += one.jitter_ms
        return rtt_ms, chance_ms

    def hops(self, a: str, b: str) -> list[tuple[LinkInfo, str]]:
        """The links that packets from `a` to `b` take, each with the direction. Raises LinkError for a circle."""
        policies = {(rule.router, rule.source, rule.destination): rule.via for rule in self.policies}
        found, at = list[tuple[LinkInfo, str]](), a
        while at != b:
            numbers = [i.link for i in self.plans[at].interfaces
                       if policies.get((at, a, b)) in (self.links_info[i.link].a, self.links_info[i.link].b)]  # fmt: skip
            link = self.links_info[(numbers or [self.plans[at].first_link[b]])[0]]
            found.append((link, WAYS[at != link.a]))
            at = link.b if at == link.a else link.a
            if len(found) > len(self.links_info):
                raise LinkError(f"could not find the path from {a} to {b}: policies send it round in circles; change them")
        return found

    @property
    def seed_demanded(self) -> bool:
        """Whether the user gave a seed and a link has something random in it: the same seed must then mean the same fate."""
        return "seed" in self.given and any(spec.a_to_b.effects or spec.b_to_a.effects for _, spec in self.states())

    @property
    def buffer_bytes(self) -> int:
        """Ceiling of the socket buffers: four times the bandwidth-delay product of the longest pair of links, in any state.

        At least 16 MiB, at most what the kernel takes (2 GiB). A ceiling under three of the product caps throughput (the BBR
        paper itself met it).
        """
        longest: dict[str, float] = {link.name: link.spec.rtt_ms for link in self.links_info}
        for moment in self.timeline():
            longest[moment.link] = max(longest[moment.link], moment.spec.rtt_ms)
        rtts = sorted(longest.values(), reverse=True)[:2]
        rates = [way.nominal_bps or 0 for _, spec in self.states() for way in (spec.a_to_b, spec.b_to_a)]
        return min(2**31 - 1, max(16 * 2**20, round(4 * max(rates) / 8 * sum(rtts) / 1000)))


def for_mininet(name: str, topology: type[Topology]) -> tuple[dict[str, type[Topology]], dict[str, type[LonghaulLink]]]:
    """The `topos` and `links` of a `mn --custom` file.

    Mininet 2.3.0's `mn` does not take `links` from a custom file (a comma is missing in its list of names), so the
    link is put into its table here when `mn` is what runs.
    """
    links = {"longhaul": LonghaulLink}
    if _under_mn():
        __main__.LINKS.update(links)
    return {name: topology}, links


def _under_mn() -> bool:
    """Whether stock `mn` is what runs."""
    return isinstance(getattr(__main__, "LINKS", None), dict)
