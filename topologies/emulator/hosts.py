"""The Mininet node of a lab: a network namespace whose addresses, routes and kernel settings come from the plan.

It is a stock Mininet `Node` to everyone else (`cmd`, `popen`, the shell); only its set-up goes over netlink, in one
visit to the namespace, instead of one shell round trip per setting, and its shell starts when it is first asked for.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mininet.link import Intf
from mininet.node import Node

from topologies.emulator import addressing
from topologies.emulator.holder import Holder
from topologies.emulator.links import netlink
from topologies.emulator.links.netns import entered
from topologies.emulator.plan import NodeError, NodePlan

CONGESTION_CONTROL = "cubic"
"""What Linux ships with; a machine's own default (bbr, say) must not leak into a study that does not name one."""

OF_THE_SHELL = ("shell", "master", "slave", "stdin", "stdout", "pollOut")
"""What Mininet keeps of a node's shell; a LabNode has none of it until somebody looks at one."""


class LabInterface(Intf):  # type: ignore[misc]  # mininet has no types
    """An interface that its link has made already, in place and up: Mininet's own configuration has nothing to do."""

    def config(self, **_params: Any) -> dict[str, Any]:
        """Nothing is left to configure."""
        return {}


class LabNode(Node):  # type: ignore[misc]
    """A host or router. `forward` makes it a router."""

    def __init__(self, name: str, plan: NodePlan, forward: bool, buffer_bytes: int, **params: Any) -> None:
        self.plan = plan
        self._sysctls = kernel_settings(forward, buffer_bytes)
        self._holder = Holder(name)
        super().__init__(name, **params)

    @property
    def pid(self) -> int:
        """A process in the node's namespaces, for as long as the node lives. Raises NodeError."""
        number = self._holder.pid
        if self._sysctls:
            # Now, before the first interface, so that none ever sends an IPv6 packet.
            with entered(number):
                set_sysctls(self._sysctls, self.name)
            self._sysctls = {}
        return number

    @pid.setter
    def pid(self, _number: int | None) -> None:
        """Mininet would have it that of the shell."""

    def startShell(self, mnopts: str | None = None) -> None:
        """Leave the shell for later: called by Mininet when the node is made, and without a shell these are not there."""
        for name in OF_THE_SHELL:
            del self.__dict__[name]

    def __getattr__(self, name: str) -> Any:
        """What there is once the shell is: it is started now, inside the namespaces that the node has."""
        if name not in OF_THE_SHELL:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        self.__dict__.update(dict.fromkeys(OF_THE_SHELL))
        self.inNamespace = False  # else Mininet would make namespaces
        try:
            super().startShell(f"-cda{self.pid}")
        except OSError as error:
            self.startShell()
            raise NodeError(f"could not start the shell of {self.name}: {error}; run `longhaul doctor`") from error
        finally:
            self.inNamespace = True
        return self.__dict__[name]

    def terminate(self) -> None:
        """End the shell, if there is one, and let the namespaces go."""
        if "shell" in self.__dict__:
            super().terminate()
        self._holder.end()

    def config(self, **_params: Any) -> dict[str, Any]:
        """Give the node its addresses, neighbours and routes. Raises NodeError."""
        with entered(self.pid), netlink.Netlink() as kernel:
            try:
                numbers = {name: known.number for name, known in kernel.interfaces().items()}
                kernel.ask_all([
                    netlink.Request("interface lo", netlink.RTM_NEWLINK, 0, netlink.interface("lo")),
                    *addressing.addresses(self.plan, numbers),
                    *addressing.routes(self.plan, numbers, {"cc_algo": CONGESTION_CONTROL}),
                    *addressing.policies(self.plan, numbers),
                ])  # fmt: skip
            except (OSError, KeyError) as error:  # KeyError: an interface of the plan is not there
                what = f"could not give {self.name} its addresses and routes"
                raise NodeError(f"{what}: {_why(error)}; run `longhaul doctor`") from error
        for interface in self.plan.interfaces:
            own = self.nameToIntf[interface.name]
            own.ip, own.prefixLen, own.mac = interface.address, "30", interface.mac
        return {}

    def start(self, command: list[str], **options: Any) -> Any:
        """Start a process in the node, in a session of its own: Ctrl-C is for the lab, which then ends it. A `Popen`.

        Not Mininet's `popen` with its defaults: its `mnexec -d` forks in a new session, and the process is lost sight of.
        """
        return self.popen(command, mncmd=["mnexec", "-a", str(self.pid)], start_new_session=True, **options)

    def reach(self, link: int, there: bool) -> None:
        """Whether what the node sends over that link arrives: for plain cables, which nothing emulates. Raises NodeError."""
        with entered(self.pid), netlink.Netlink() as kernel:
            (interface,) = [one for one in self.plan.interfaces if one.link == link]
            try:
                number = kernel.interfaces()[interface.name].number
                kernel.ask_all([addressing.neighbour(interface, number, there=there)])
            except (OSError, KeyError) as error:
                what = f"could not {'heal' if there else 'cut'} {interface.name} of {self.name}"
                raise NodeError(f"{what}: {_why(error)}; run `longhaul doctor`") from error

    def tune(self, sysctls: Mapping[str, str], metrics: Mapping[str, int | str]) -> None:
        """Change kernel settings, and metrics of every route (see addressing.METRICS), while the lab runs. Raises NodeError."""
        with entered(self.pid):
            set_sysctls(sysctls, self.name)
            if metrics:
                with netlink.Netlink() as kernel:
                    numbers = {name: known.number for name, known in kernel.interfaces().items()}
                    try:
                        kernel.ask_all(addressing.routes(self.plan, numbers, {"cc_algo": CONGESTION_CONTROL, **metrics}))
                    except (OSError, KeyError) as error:
                        what = f"could not set {', '.join(metrics)} in {self.name}"
                        raise NodeError(f"{what}: {_why(error)}; name metrics of {', '.join(addressing.METRICS)}") from error


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


def set_sysctls(values: Mapping[str, str], node: str) -> None:
    """Write sysctls of the namespace this thread is in. Raises NodeError."""
    ipv6 = os.path.exists("/proc/sys/net/ipv6")
    for key, value in values.items():
        if "ipv6" in key and not ipv6:
            continue  # a kernel without IPv6 sends none
        try:
            Path("/proc/sys", *key.split(".")).write_text(value)
        except OSError as error:
            why = os.strerror(error.errno or 0)
            raise NodeError(f"could not set {key}={value} in {node}: {why}; this kernel may lack it") from None


def _why(error: Exception) -> str:
    return f"there is no {error}" if isinstance(error, KeyError) else getattr(error, "strerror", "") or str(error)
