"""A lab: a topology built by Mininet inside the sandbox, with its links measured against what was asked.

It runs no experiment and no daemon; it gives the nodes in which they run. Only the end of the sandbox takes it down.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mininet.log import setLogLevel
from mininet.net import Mininet

from topologies.emulator import sandbox, watch
from topologies.emulator.hosts import LabNode
from topologies.emulator.links import netlink, probe
from topologies.emulator.links.backend import Backend, BackendError, Counters, UnsupportedError
from topologies.emulator.links.choice import choose
from topologies.emulator.links.netns import entered
from topologies.emulator.links.spec import Direction
from topologies.emulator.links.tolerance import of_this_machine
from topologies.emulator.live import Live
from topologies.emulator.mininet_link import LonghaulLink
from topologies.emulator.parts import WAYS
from topologies.emulator.plan import NodeError
from topologies.emulator.setting import nearest
from topologies.emulator.topology import Topology

SETTINGS = ("tcp_rmem", "tcp_wmem", "tcp_sack", "tcp_slow_start_after_idle", "tcp_no_metrics_save", "ip_forward")


class Lab:
    """A running lab. Make it inside a sandbox only; the constructor returns when every node is up and routed."""

    def __init__(self, topology: Topology, link: str = "auto") -> None:
        missing = [tool for tool in ("mnexec", "ifconfig", "bash", "env") if not shutil.which(tool)]
        if missing:  # Mininet itself would end the process here
            raise UnsupportedError(f"could not build a lab: {', '.join(missing)} not found; run: sudo ./provision.sh")
        self.topology = topology
        self.specs = topology.specs
        self.tolerance = of_this_machine()
        self.links: Backend = choose(link, seed_demanded=topology.seed_demanded, specs=topology.states())
        self.live = Live(topology, self.links, tolerance=self.tolerance, cables=self._plug)
        self._probed: Counters = {}
        LonghaulLink.current = self.links
        with netlink.Netlink() as kernel:
            kernel.change(netlink.interface("lo"))
        setLogLevel("error")
        # Mininet's own start-up writes limits of the whole machine (file-max, neighbour tables); a lab may not.
        Mininet.inited = True
        self.net = Mininet(topo=topology, controller=None, build=False)
        self._name_hosts()  # before the nodes, whose mount namespaces are copies of this one
        self.net.build()

    def node(self, name: str) -> LabNode:
        """A node by name. Raises NodeError."""
        if name not in self.topology.plans:
            raise NodeError(f"could not use the node '{name}': this lab has none; {nearest(name, self.topology.plans)}")
        found: LabNode = self.net.nameToNode[name]
        return found

    def address(self, name: str) -> str:
        """The address a node is known by."""
        self.node(name)
        return self.topology.plans[name].address

    def change(self, link: str, words: str) -> int:
        """Change a link while the lab runs: `change("a-b", "rate 10mbit loss 1%")`, one way: `change("a>b", "down")`. What is
        not named stays. Returns when it took effect (CLOCK_MONOTONIC, ns). Raises LinkError, and then nothing has changed."""
        return self.live.change(link, words)

    def undo(self, link: str, words: str) -> int:
        """What these words set becomes again what it was when the trial began; all else stays. As `change` otherwise."""
        return self.live.undo(link, words)

    def verify(self) -> dict[str, Any]:
        """Measure every link: the content of `links.json`, specified against achieved."""
        end = {(n, i.link): i for n, plan in self.topology.plans.items() for i in plan.interfaces}
        targets = [
            probe.Target(link.name, self.node(link.a).pid, end[link.a, number].address,
                         self.node(link.b).pid, end[link.b, number].address, link.spec)
            for number, link in enumerate(self.topology.links_info)
        ]  # fmt: skip
        try:
            verified = probe.verify(targets, self.tolerance)
        except OSError as error:
            raise BackendError(f"could not measure the links: {error}; run `longhaul doctor`") from error
        rows = []
        for link in self.topology.links_info:
            found = verified[link.name]
            rows.append({
                "name": link.name, "a": link.a, "b": link.b,
                "backend": "veth" if link.spec.unshaped else self.links.name,
                "estimate": link.estimate, "note": link.source,
                "specified": {"rtt_ms": link.spec.rtt_ms, **link.spec.as_dict(),
                              "schedule": self.topology.schedule_texts(link.name)},
                "before": found.measured.as_dict(), "during": None, "ok": not found.reasons,
                "reasons": list(found.reasons), "attempts": found.attempts,
                "slack_ms": self.tolerance.of_time(0.0, link.spec.rtt_ms),
            })  # fmt: skip
        return {"backend": self.links.name, "how": self.links.describe(), "links": rows}

    def begin(self) -> None:
        """What the links carry from now on is what the lab is for, and not the probe's: counters and lateness begin anew, and
        so does chance, so that the first packet meets the first fate of the seed."""
        self.links.draw_anew("")
        self.links.watch(False)
        self._probed = self.links.counters()

    def watch(self, links: dict[str, Any]) -> None:
        """Add what the backend counted since `begin` (or ever) to the content of `links.json`, and what that says of trust."""
        counters = self.links.counters()
        for row in links["links"]:
            if row["name"] in counters:
                before = self._probed.get(row["name"], {})
                found = {way: count.since(before[way]) if way in before else count
                         for way, count in counters[row["name"]].items()}  # fmt: skip
                row["during"] = {way: count.as_dict() | watch.lateness_ms(count) for way, count in found.items()}
                row["reasons"] += watch.distrust(self.specs[row["name"]], found, self.tolerance)
                row["ok"] = not row["reasons"]

    @contextmanager
    def watched(self, draws: str, bears_ms: float = 0.0) -> Iterator[list[str]]:
        """A stretch of time whose punctuality is judged; after the body, the list says on which links it was not kept. Chance
        begins anew with it, by the seed and `draws`."""
        late: list[str] = []
        self.links.draw_anew(draws)
        self.links.watch(True)
        yield late
        late += watch.too_late(self.specs, self.links.watch(False), self.tolerance, bears_ms)

    def settings(self) -> dict[str, str]:
        """What somebody could change in the nodes while a run goes on: interfaces with MTU, queue and state, and sysctls."""
        found = {}
        for node in self.topology.nodes_info:
            with entered(self.node(node.name).pid), netlink.Netlink() as kernel:
                for name, known in kernel.interfaces().items():
                    found[f"{node.name} {name}"] = known.settings()
                for key in SETTINGS:
                    found[f"{node.name} {key}"] = " ".join(Path(f"/proc/sys/net/ipv4/{key}").read_text("ascii").split())
        return found

    def _plug(self, name: str, ways: Mapping[str, Direction]) -> int:
        """Cut a plain cable, or heal it: each direction that is given, as it is up or not. Returns when (ns)."""
        number, link = next((n, one) for n, one in enumerate(self.topology.links_info) if one.name == name)
        for way, become in ways.items():
            self.node(link.a if way == WAYS[0] else link.b).reach(number, become.up)
        return time.monotonic_ns()

    def _name_hosts(self) -> None:
        lines = ["127.0.0.1 localhost"]
        lines += [f"{plan.address} {name}" for name, plan in self.topology.plans.items()]
        hosts, resolver = sandbox.scratch() / "hosts", sandbox.scratch() / "resolv.conf"
        hosts.write_text("\n".join(lines) + "\n")
        # No name server is within reach: a name that /etc/hosts lacks fails at once instead of after seconds.
        resolver.write_text("options timeout:1 attempts:1\n")
        for source, target in ((hosts, Path("/etc/hosts")), (resolver, Path("/etc/resolv.conf"))):
            if target.exists():
                sandbox.mount(str(source), os.path.realpath(target), "", sandbox.MS_BIND)


def environment(root: Path) -> Mapping[str, str]:
    """Environment of a process in a node: ours, able to import longhaul, and through no proxy."""
    kept = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    return {**kept, "PYTHONPATH": str(root), "PYTHONWARNINGS": "ignore::DeprecationWarning"}
