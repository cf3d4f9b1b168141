"""Laying links between the namespaces of a test."""

from __future__ import annotations

import subprocess

from topologies.emulator.links import veth
from topologies.emulator.links.backend import Backend, End
from topologies.emulator.links.probe import Target
from topologies.emulator.links.spec import LinkSpec


def ends_of(number: int, a: int, b: int) -> tuple[End, End]:
    """The two ends of link `number` between the namespaces of two processes."""
    return (End(a, f"a{number}", f"02:00:00:00:{number:02x}:01"), End(b, f"b{number}", f"02:00:00:00:{number:02x}:02"))


def within(pid: int, *words: str) -> str:
    """Run one command in the namespace and return what it printed."""
    return subprocess.run(["nsenter", "-t", str(pid), "-n", *words], check=True, capture_output=True, text=True).stdout


def join(backend: Backend, number: int, a: int, b: int, built: LinkSpec, said: LinkSpec | None = None) -> Target:
    """Connect two namespaces with `built`, give addresses and neighbours, and describe the link as `said`."""
    ends = ends_of(number, a, b)
    if built.unshaped:
        veth.lay(*ends, built.mtu)
    else:
        backend.connect(f"link{number}", *ends, built)
    for side, (end, other) in enumerate(zip(ends, reversed(ends), strict=True), 1):
        within(end.pid, "ip", "addr", "add", f"10.0.{number}.{side}/24", "dev", end.ifname)
        within(end.pid, "ip", "neigh", "replace", f"10.0.{number}.{3 - side}", "dev", end.ifname, "lladdr", other.mac)
    return Target(f"link{number}", a, f"10.0.{number}.1", b, f"10.0.{number}.2", said or built)
