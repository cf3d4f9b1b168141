"""Two hundred hosts around one router, by plain cables: ours up and down beside stock Mininet's, nodes and links the same.

Stock is what a Mininet user writes without a controller: `Host` nodes and plain `Link`s around a host that forwards (as
in Mininet's own example `linuxrouter.py`), a subnet for every cable, started and stopped by `Mininet.start` and `stop`.
Both must carry a packet from the first host to the last before their time counts. Ours ends with its sandbox; behind
that the kernel still works 0.2 s on two hundred namespaces, on one processor.
"""

from __future__ import annotations

import time

from mininet.log import setLogLevel
from mininet.net import Mininet
from mininet.node import Host
from mininet.topo import Topo

from experiments.harness.bench import Row
from experiments.harness.benches.lab import column, timed
from topologies.emulator.lab import Lab
from topologies.emulator.topology import Topology

HOSTS = 200


def measure(repetitions: int) -> list[Row]:
    """Up and down, ours and stock Mininet in turn. The goals are a half and a tenth of stock's median."""
    ours, stock = [], []
    for _ in range(repetitions):
        ours.append(timed(_ours))
        stock.append(timed(_stock))
    up, down = Row("", "s", column(stock, "up_s")).median, Row("", "s", column(stock, "down_s")).median
    return [
        Row(f"{HOSTS}-host star up, not verified", "s", column(ours, "up_s"), round(up / 2, 2),
            "stock Mininet", column(stock, "up_s")),
        Row(f"{HOSTS}-host star up, every cable verified", "s", column(ours, "verified_s"), None,
            "stock Mininet, unverified", column(stock, "up_s")),
        Row(f"{HOSTS}-host star down", "s", column(ours, "down_s"), round(down / 10, 2),
            "stock Mininet", column(stock, "down_s")),
    ]  # fmt: skip


def _ours(began: float) -> dict[str, float]:
    lab = Lab(_Star())
    up_s = time.monotonic() - began
    _must_carry(lab.net, f"host{HOSTS}")
    verifying = time.monotonic()
    wrong = [row["reasons"] for row in lab.verify()["links"] if not row["ok"]]
    if wrong:
        raise RuntimeError(f"cables out of tolerance: {wrong}")
    return {"up_s": up_s, "verified_s": up_s + time.monotonic() - verifying}


def _stock(began: float) -> dict[str, float]:
    setLogLevel("error")
    Mininet.inited = True  # else it would write limits of the whole machine
    net = Mininet(topo=_StockStar(), host=Host, controller=None)
    net.start()
    net["hub"].cmd("sysctl -w net.ipv4.ip_forward=1")
    up_s = time.monotonic() - began
    _must_carry(net, net[f"host{HOSTS}"].IP())
    stopping = time.monotonic()
    net.stop()
    return {"up_s": up_s, "down_s": time.monotonic() - stopping}


def _must_carry(net: Mininet, target: str) -> None:
    said = net["host1"].cmd(f"ping -c 1 -W 2 {target}")
    if "1 received" not in said:
        raise RuntimeError(f"the star does not carry packets: {said}")


class _Star(Topology):
    """host1 ... host200, each by a cable of its own to hub."""

    def build(self) -> None:
        self.router("hub")
        for number in range(1, HOSTS + 1):
            self.cable("hub", self.host(f"host{number}"))


class _StockStar(Topo):  # type: ignore[misc]  # mininet has no types
    def build(self) -> None:
        """The same, by Mininet's own means."""
        hub = self.addHost("hub", ip=None)
        for number in range(1, HOSTS + 1):
            subnet = f"10.0.{number}"
            host = self.addHost(f"host{number}", ip=f"{subnet}.2/24", defaultRoute=f"via {subnet}.1")
            self.addLink(host, hub, intfName2=f"hub-eth{number}", params2={"ip": f"{subnet}.1/24"})
