"""BGP in a lab: BIRD on the router of every autonomous system of the topology, and what experiments do to it.

It decides no route: BIRD does. The lab's nodes reach each other by the plan whatever BGP says; only an anycast address, which
the plan does not know, is reached by what BGP has learned.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from ipaddress import ip_network
from pathlib import Path

from experiments.harness.stage import Daemon, Stage, StageError
from nodes.bird.config import OPPOSITE, ConfigError, Network, Relation, Session, configurations, protocol
from nodes.bird.control import ControlError, ask
from nodes.bird.replies import ReplyError, lines
from topologies.emulator import sandbox
from topologies.emulator.parts import PeeringInfo
from topologies.emulator.topology import Topology

SETTLED_WITHIN_S = 30.0
LOOK_EVERY_S = 0.02
ANYCAST_BITS = 24


def network_of(world: Topology, host: str) -> str:
    """The network of a host, as its system announces it: that of its cable."""
    return str(ip_network(f"{world.plans[host].address}/30", strict=False))


class Routing:
    """The BGP of a lab. `anycast`: an address, and by each site's router the host there that has it."""

    def __init__(self, stage: Stage, *, hold_s: int = 9, address: str = "", sites: Mapping[str, str] | None = None) -> None:
        self._stage, self._world = stage, stage.lab.topology
        self._address, self._sites, self._hold_s = address, dict(sites or {}), hold_s
        self.prefix = str(ip_network(f"{address}/{ANYCAST_BITS}", strict=False)) if address else ""
        self.folder: Path = sandbox.scratch()
        """Of control sockets and configurations: a socket's path must be short."""
        self._daemons: dict[str, Daemon] = {}

    def start(self, tell: Mapping[str, tuple[str, ...]] | None = None) -> None:
        """Start every BIRD and wait until every session is up. `tell`: by router, further options of `node bird`, such as
        those that have it report to steering. Raises StageError."""
        texts = self.texts()
        for router, host in self._sites.items() if self._address else ():
            self._give_address(router, host)
        for router, text in texts.items():
            config = self.folder / f"{router}.conf"
            config.write_text(text, encoding="utf-8")
            more = (tell or {}).get(router, ())
            self._daemons[router] = self._stage.daemon(router, "bird", "--control", str(self._socket(router)), "--config",
                                                       str(config), *more, ready=False)  # fmt: skip
        for daemon in self._daemons.values():
            daemon.wait_ready()
        for router in texts:
            self.wait(f"every BGP session of {router} is up", partial(self._up, router))

    def texts(self) -> dict[str, str]:
        """BIRD's configuration on each router. Raises StageError."""
        try:
            return configurations(self._networks(), [self._session(one) for one in self._world.peerings],
                                  hold_s=self._hold_s, kernel=[self.prefix] if self.prefix else [])  # fmt: skip
        except ConfigError as error:
            raise StageError(str(error)) from error

    def ask(self, router: str, command: str) -> str:
        """What BIRD of a router says to a command of its control socket. Raises StageError."""
        try:
            reply = ask(self._socket(router), command)
            list(lines(reply))
        except (ControlError, ReplyError) as error:
            raise StageError(f"could not ask BIRD on {router} to '{command}': {error}") from error
        return reply

    def withdraw(self, router: str, neighbour: str) -> None:
        """End a session: what each told the other is withdrawn. Raises StageError."""
        self.ask(router, f"disable {self._protocol(router, neighbour)}")

    def announce(self, router: str, neighbour: str) -> None:
        """Begin a session again. Raises StageError."""
        self.ask(router, f"enable {self._protocol(router, neighbour)}")

    def bird(self, router: str) -> int:
        """The process of BIRD itself on a router, for signals. Raises StageError."""
        starter = self._daemons[router].process.pid
        for child in Path(f"/proc/{starter}/task/{starter}/children").read_text("ascii").split():
            if Path(f"/proc/{child}/comm").read_text().strip() == "bird":
                return int(child)
        raise StageError(f"could not find BIRD on {router}: the process that started it has no such child")

    def signal(self, router: str, number: int) -> None:
        """Send a signal to BIRD on a router."""
        os.kill(self.bird(router), number)

    def way(self, router: str, address: str) -> str:
        """The address of the next hop that a router's kernel sends packets for an address to; empty where it has none."""
        found = str(self._stage.lab.node(router).cmd(f"ip -o route get {address} 2>/dev/null")).split()
        return found[found.index("via") + 1] if "via" in found else ""

    def wait(self, what: str, true: Callable[[], bool], within_s: float = SETTLED_WITHIN_S) -> None:
        """Wait until something is so. Raises StageError."""
        deadline = time.monotonic() + within_s
        while not true():
            if time.monotonic() > deadline:
                raise StageError(f"could not wait until {what}: it was not within {within_s:g} s")
            if trouble := self._stage.trouble():
                raise StageError(f"could not wait until {what}: {trouble}")
            time.sleep(LOOK_EVERY_S)

    def site_of(self, router: str) -> str:
        """The router of the site that a router's packets to the anycast address end at, by the kernels' routes; empty when
        they end nowhere. Raises StageError for a circle."""
        owner = {one.address: name for name, plan in self._world.plans.items() for one in plan.interfaces}
        seen: list[str] = []
        while router not in self._sites:
            via = self.way(router, self._address)
            if not via:
                return ""
            if router in seen:
                raise StageError(f"could not follow {self._address}: the routes go round by {', '.join(seen)}")
            seen.append(router)
            router = owner[via]
        return router

    def _up(self, router: str) -> bool:
        names = [protocol(other, relation) for other, relation in self._neighbours(router)]
        words = [text.split() for _, text in lines(self.ask(router, "show protocols"))]
        return {word[0] for word in words if len(word) > 3 and word[-1] == "Established"} >= set(names)

    def _neighbours(self, router: str) -> list[tuple[str, Relation]]:
        found: list[tuple[str, Relation]] = []
        for one in self._world.peerings:
            if one.a == router:
                found.append((one.b, one.relation))
            elif one.b == router:
                found.append((one.a, OPPOSITE[one.relation]))
        return found

    def _protocol(self, router: str, neighbour: str) -> str:
        for other, relation in self._neighbours(router):
            if other == neighbour:
                return protocol(other, relation)
        raise StageError(f"could not find the session of {router} with {neighbour}: they have none in this topology")

    def _networks(self) -> dict[str, Network]:
        only: dict[str, dict[str, list[str]]] = {}
        for one in self._world.peerings:
            if one.relation == "listener":
                hosts = self._world.systems[one.a].hosts
                only.setdefault(one.a, {})[one.b] = [f"{self._world.plans[host].address}/32" for host in hosts]
        found = {}
        for name, system in self._world.systems.items():
            prefixes = [network_of(self._world, host) for host in system.hosts]
            if name in self._sites and self.prefix:
                prefixes.append(self.prefix)
            found[name] = Network(system.asn, prefixes, only.get(name, {}))
        return found

    def _session(self, one: PeeringInfo) -> Session:
        """Between the two ends of the link that joins them; a listener is reached by the address it is known by."""
        if one.relation == "listener":
            ends = self._world.plans[one.a].address, self._world.plans[one.b].address
            return Session(one.a, ends[0], one.b, ends[1], one.relation)
        for number, link in enumerate(self._world.links_info):
            if {link.a, link.b} == {one.a, one.b}:
                a, b = (next(i.address for i in self._world.plans[name].interfaces if i.link == number)
                        for name in (one.a, one.b))  # fmt: skip
                return Session(one.a, a, one.b, b, one.relation)
        raise StageError(f"could not join {one.a} and {one.b} by BGP: no link is between them; link them in the topology")

    def _give_address(self, router: str, host: str) -> None:
        """The anycast address on a host's loopback, and its router's way there."""
        for node, command in ((host, f"ip address add {self._address}/32 dev lo"),
                              (router, f"ip route add {self._address}/32 via {self._world.plans[host].address}")):  # fmt: skip
            if said := str(self._stage.lab.node(node).cmd(command)).strip():
                raise StageError(f"could not give {host} the address {self._address}: {node} said '{said}'")

    def _socket(self, router: str) -> Path:
        return self.folder / f"{router}.ctl"
