"""The Mininet node of a lab: a network namespace whose addresses, routes and kernel settings come from the plan.

It is a stock Mininet `Node` to everyone else (`cmd`, `popen`, the shell); only its set-up goes over netlink, in one
visit to the namespace, instead of one shell round trip per setting.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mininet.link import Intf
from mininet.node import Node

from topologies.emulator.installed import IPRoute
from topologies.emulator.links.netns import entered
from topologies.emulator.plan import NodeError, NodePlan

CONGESTION_CONTROL = "cubic"
"""What Linux ships with; a machine's own default (bbr, say) must not leak into a study that does not name one."""

FIRST_POLICY_TABLE = 1000
"""Routing tables, and priorities of their rules, that policies use, one each."""


class LabInterface(Intf):  # type: ignore[misc]  # mininet has no types
    """An interface that its link has made already, in place and up: Mininet's own configuration has nothing to do."""

    def config(self, **_params: Any) -> dict[str, Any]:
        """Nothing is left to configure."""
        return {}


class LabNode(Node):  # type: ignore[misc]
    """A host or router. `forward` makes it a router."""

    def __init__(self, name: str, plan: NodePlan, forward: bool, buffer_bytes: int, **params: Any) -> None:
        self.plan = plan
        super().__init__(name, **params)
        with entered(self.pid):
            # Before the first interface, so that none ever sends an IPv6 packet.
            for key, value in kernel_settings(forward, buffer_bytes).items():
                set_sysctl(key, value, name)

    def config(self, **_params: Any) -> dict[str, Any]:
        """Give the node its addresses, neighbours and routes. Raises NodeError."""
        with entered(self.pid), IPRoute() as kernel:
            try:
                kernel.link("set", index=1, state="up")
                numbers = {link.get_attr("IFLA_IFNAME"): link["index"] for link in kernel.get_links()}
                for interface in self.plan.interfaces:
                    number = numbers[interface.name]
                    kernel.addr("add", index=number, address=interface.address, prefixlen=30)
                    # A lasting neighbour: ARP would cross the ocean and add a round trip to the first packet.
                    kernel.neigh("replace", dst=interface.peer_address, lladdr=interface.peer_mac, ifindex=number,
                                 state="permanent")  # fmt: skip
                self.set_routes(kernel, numbers, {"cc_algo": CONGESTION_CONTROL})
                for table, (source, target, via, name) in enumerate(self.plan.policies, FIRST_POLICY_TABLE):
                    kernel.route("add", dst="default", gateway=via, oif=numbers[name], table=table)
                    kernel.rule("add", src=source, src_len=32, dst=target, dst_len=32, table=table, priority=table)
            except Exception as error:  # pyroute2 raises its own kinds and KeyError: all mean the plan does not stand
                what = f"could not give {self.name} its addresses and routes"
                raise NodeError(f"{what}: {error}; run `longhaul doctor`") from error
        for interface in self.plan.interfaces:
            own = self.nameToIntf[interface.name]
            own.ip, own.prefixLen, own.mac = interface.address, "30", interface.mac
        return {}

    def set_routes(self, kernel: IPRoute, numbers: Mapping[str, int], metrics: Mapping[str, Any]) -> None:
        """(Re)place every route with these metrics (`initcwnd`, `initrwnd`, `cc_algo`)."""
        for interface in self.plan.interfaces:
            kernel.route("replace", dst=f"{interface.peer_address}/32", oif=numbers[interface.name], scope="link",
                         prefsrc=self.plan.address, metrics=dict(metrics))  # fmt: skip
        routes = list(self.plan.routes)
        if self.plan.default:
            routes.append(("default", *self.plan.default))
        for target, via, name in routes:
            kernel.route("replace", dst=target if target == "default" else f"{target}/32", gateway=via,
                         oif=numbers[name], prefsrc=self.plan.address, metrics=dict(metrics))  # fmt: skip

    def start(self, command: list[str], **options: Any) -> Any:
        """Start a process in the node, in a session of its own: Ctrl-C is for the lab, which then ends it. A `Popen`.

        Not Mininet's `popen` with its defaults: its `mnexec -d` forks in a new session, and the process is lost sight of.
        """
        return self.popen(command, mncmd=["mnexec", "-a", str(self.pid)], start_new_session=True, **options)

    def tune(self, sysctls: Mapping[str, str], metrics: Mapping[str, Any]) -> None:
        """Change kernel settings and route metrics of this node while the lab runs. Raises NodeError."""
        with entered(self.pid):
            for key, value in sysctls.items():
                set_sysctl(key, value, self.name)
            if metrics:
                with IPRoute() as kernel:
                    numbers = {link.get_attr("IFLA_IFNAME"): link["index"] for link in kernel.get_links()}
                    self.set_routes(kernel, numbers, {"cc_algo": CONGESTION_CONTROL, **metrics})


def kernel_settings(forward: bool, buffer_bytes: int) -> dict[str, str]:
    """Kernel settings of a node's network namespace by sysctl name."""
    return {
        "net.ipv6.conf.all.disable_ipv6": "1",
        "net.ipv6.conf.default.disable_ipv6": "1",
        "net.ipv4.ip_forward": "1" if forward else "0",
        # Routes may be asymmetric by policy; a reverse-path filter would drop their packets unseen.
        "net.ipv4.conf.all.rp_filter": "0",
        "net.ipv4.conf.default.rp_filter": "0",
        # One trial must not teach the next.
        "net.ipv4.tcp_no_metrics_save": "1",
        "net.ipv4.tcp_rmem": f"4096 131072 {buffer_bytes}",
        "net.ipv4.tcp_wmem": f"4096 16384 {buffer_bytes}",
    }


def set_sysctl(key: str, value: str, node: str) -> None:
    """Write one sysctl of the namespace this thread is in. Raises NodeError."""
    path = Path("/proc/sys") / key.replace(".", "/")
    if "ipv6" in key and not Path("/proc/sys/net/ipv6").exists():
        return  # a kernel without IPv6 sends none
    try:
        path.write_text(value)
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise NodeError(f"could not set {key}={value} in {node}: {why}; this kernel may lack it") from None
