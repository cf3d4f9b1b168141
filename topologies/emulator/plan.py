"""The plan of a network: addresses, interface names and routes for every node, worked out before anything is built.

Pure: it turns nodes and links into what each node must be given; hosts.py gives it to them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from topologies.emulator.routes import Cost, first_links
from topologies.emulator.setting import nearest

SUPERNET = IPv4Network("10.0.0.0/8")
LONGEST_IFNAME = 15


class PlanError(ValueError):
    """A network that cannot be planned: a name too long or twice, or nodes that cannot reach each other."""


class NodeError(Exception):
    """A node that could not be set up as planned; the message says what was tried and why it failed."""


@dataclass(frozen=True)
class PlannedNode:
    """A node as the topology wants it. `label` is how its neighbours' interfaces call it."""

    name: str
    router: bool
    label: str


@dataclass(frozen=True)
class PlannedLink:
    """A link as the topology wants it; `cost` is what the shortest path adds up."""

    a: str
    b: str
    cost: Cost


@dataclass(frozen=True)
class PlannedPolicy:
    """At `router`, packets from `source` to `destination` go to the neighbour `via`, whatever the shortest path is."""

    router: str
    source: str
    destination: str
    via: str


@dataclass(frozen=True)
class Interface:
    """One interface with its address in a /30 of its own, and its only neighbour's, so that no ARP crosses an ocean."""

    name: str
    address: str
    mac: str
    peer_address: str
    peer_mac: str
    link: int


@dataclass
class NodePlan:
    """Everything a node is given: `routes` as (destination, next hop, interface), `default` as (next hop, interface)."""

    interfaces: list[Interface] = field(default_factory=list)
    routes: list[tuple[str, str, str]] = field(default_factory=list)
    default: tuple[str, str] | None = None
    policies: list[tuple[str, str, str, str]] = field(default_factory=list)
    """(source address, destination address, next hop, interface): rules that come before the routes."""
    first_link: dict[str, int] = field(default_factory=dict)
    """Every other node -> number of the link by which it is reached."""

    @property
    def address(self) -> str:
        """The address the node is known by: that of its first interface."""
        return self.interfaces[0].address


def plan(
    nodes: Sequence[PlannedNode], links: Sequence[PlannedLink], policies: Sequence[PlannedPolicy] = ()
) -> dict[str, NodePlan]:
    """Plan of every node by name. Raises PlanError."""
    by_name = {node.name: node for node in nodes}
    if len(by_name) < len(nodes):
        raise PlanError("could not plan the network: two nodes have the same name; rename one")
    if len(links) > SUPERNET.num_addresses // 4:
        raise PlanError(f"could not plan the network: {len(links)} links need more addresses than {SUPERNET} has; use fewer")
    plans = {node.name: NodePlan() for node in nodes}
    for name in {name for link in links for name in (link.a, link.b)} - set(by_name):
        raise PlanError(f"could not plan the network: a link ends at {name}, which is no node; {nearest(name, by_name)}")
    for number, link in enumerate(links):
        first = int(SUPERNET.network_address) + 4 * number
        addresses = [str(IPv4Address(first + 1)), str(IPv4Address(first + 2))]
        macs = [f"02:00:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}:0{end}" for end in (1, 2)]
        for end, (own, peer) in enumerate(((link.a, link.b), (link.b, link.a))):
            name = _ifname(by_name[own], by_name[peer], [i.name for i in plans[own].interfaces])
            plans[own].interfaces.append(
                Interface(name, addresses[end], macs[end], addresses[1 - end], macs[1 - end], number)
            )
    lonely = [name for name, node_plan in plans.items() if not node_plan.interfaces]
    if lonely:
        raise PlanError(f"could not plan the network: no link reaches {', '.join(lonely)}; link it or leave it out")
    _add_routes(plans, by_name, links)
    for policy in policies:
        _add_policy(plans, links, policy)
    return plans


def _add_policy(plans: dict[str, NodePlan], links: Sequence[PlannedLink], policy: PlannedPolicy) -> None:
    for name in (policy.router, policy.source, policy.destination, policy.via):
        if name not in plans:
            raise PlanError(f"could not plan a policy at {policy.router}: there is no node {name}; name one of the topology")
    for interface in plans[policy.router].interfaces:
        if policy.via in (links[interface.link].a, links[interface.link].b):
            ends = plans[policy.source].address, plans[policy.destination].address
            plans[policy.router].policies.append((*ends, interface.peer_address, interface.name))
            return
    raise PlanError(f"could not plan a policy at {policy.router}: no link leads from it to {policy.via}; name a neighbour")


def _add_routes(plans: dict[str, NodePlan], nodes: dict[str, PlannedNode], links: Sequence[PlannedLink]) -> None:
    graph: dict[str, list[tuple[str, Cost, int]]] = {name: [] for name in plans}
    for number, link in enumerate(links):
        graph[link.a].append((link.b, link.cost, number))
        graph[link.b].append((link.a, link.cost, number))
    # Only routers carry others' packets: a host that is not the start leads nowhere.
    transit = {name: edges if nodes[name].router else [] for name, edges in graph.items()}
    for name, node_plan in plans.items():
        by_link = {interface.link: interface for interface in node_plan.interfaces}
        reached = first_links({**transit, name: graph[name]}, name)
        unreached = [other for other in plans if other != name and other not in reached]
        if unreached:
            raise PlanError(f"could not plan the network: {name} cannot reach {', '.join(unreached[:5])}; add a link")
        node_plan.first_link = reached
        if len(by_link) == 1 and not nodes[name].router:
            only = node_plan.interfaces[0]
            node_plan.default = (only.peer_address, only.name)
            continue
        for other, first in reached.items():
            via, target = by_link[first], plans[other].address
            if target != via.peer_address:
                node_plan.routes.append((target, via.peer_address, via.name))


def _ifname(own: PlannedNode, peer: PlannedNode, taken: Iterable[str]) -> str:
    names = set(taken)
    if not own.router:
        return f"eth{len(names)}"
    wanted = f"to-{peer.label}"[:LONGEST_IFNAME]
    for number in range(2, 1000):
        if wanted not in names:
            return wanted
        suffix = f"-{number}"
        wanted = f"to-{peer.label}"[: LONGEST_IFNAME - len(suffix)] + suffix
    raise PlanError(f"could not name an interface: {own.name} has over 1000 links to nodes called {peer.label}; rename some")


def seed_of(seed: int, link: str) -> int:
    """A seed for one link from the seed of all, so that a link's fate does not depend on the links beside it."""
    return zlib.crc32(f"{seed}:{link}".encode())
