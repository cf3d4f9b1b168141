"""Links through the kernel's own shapers: veth pairs and bridges in a private namespace, TBF and netem in the middle.

It computes no parameter (`tc_plan.py` does) and starts no process that stays.

    node a          the wire namespace                                node b
    ifname == a0 [bridge] x0 ======== y0 [bridge] b0 == ifname
              ^ netem b_to_a          ^ TBF b_to_a
                          ^ TBF a_to_b             ^ netem a_to_b
"""

from __future__ import annotations

import os
import re
import subprocess
import zlib
from dataclasses import dataclass
from typing import Any

from . import netlink, netns, offloads, tc_plan
from .backend import BackendError, Counters, DirectionCounters, End, Stretch, UnsupportedError
from .spec import Direction, LinkSpec


@dataclass(frozen=True)
class Ability:
    """What the kernel and `tc` can do here: `reason` is empty when links with delay can be built."""

    reason: str
    seed: bool
    tc_version: str


def ability() -> Ability:
    """Tried for real in a throw-away namespace: TBF, netem, netem's seed, a bridge."""
    try:
        space = netns.fresh()
    except OSError as error:
        return Ability(str(error), False, "")
    try:
        with netns.entered_fd(space):
            try:
                version = subprocess.run(["tc", "-V"], capture_output=True, text=True, check=True).stdout.strip()
                with netlink.Netlink() as kernel:
                    _bridge(kernel, "p")
            except FileNotFoundError:
                return Ability("there is no tc command (install iproute2)", False, "")
            except (OSError, subprocess.CalledProcessError) as error:
                return Ability(f"it makes no bridge ({error})", False, "")
            for kind, line in (("tbf", "rate 1mbit burst 1600b limit 16000b"), ("netem", "delay 1ms rate 1mbit")):
                try:
                    _tc([f"qdisc replace dev lo root {kind} {line}"])
                except BackendError:
                    return Ability(f"this kernel (or this tc) has no {kind}", False, version)
            try:
                _tc(["qdisc replace dev lo root netem delay 1ms seed 1"])
            except BackendError:
                return Ability("", False, version)
            return Ability("", True, version)
    finally:
        os.close(space)


class NetemBackend:
    """veth links shaped by the kernel, all in one wire namespace that lives as long as this object."""

    name = "netem"

    def __init__(self, found: Ability, why: str = "asked for") -> None:
        self._found, self._why = found, why
        self._links: dict[str, tuple[int, LinkSpec]] = {}
        try:
            self._space = netns.fresh()
        except OSError as error:
            raise UnsupportedError(f"{error}; run as root, or where user namespaces are open") from error

    def connect(self, name: str, a: End, b: End, spec: LinkSpec) -> None:
        """See `Backend.connect`."""
        if name in self._links:
            raise ValueError(f"link '{name}' exists already")
        number = len(self._links)
        try:
            with netns.entered_fd(self._space):
                self._chain(number, a, b, spec)
                _tc(commands(number, name, spec, with_seed=self._found.seed))
            for end in (a, b):
                with netns.entered(end.pid):
                    offloads.off(end.ifname)
                    with netlink.Netlink() as kernel:
                        kernel.change(netlink.interface(end.ifname))
        except OSError as error:
            raise BackendError(f"could not make the link {name}: {error.strerror or error}") from error
        self._links[name] = (number, spec)

    def counters(self) -> Counters:
        """From the qdiscs. netem does not tell how late it was, nor a loss on purpose from an overflow."""
        with netns.entered_fd(self._space):
            shown = _run(["tc", "-s", "qdisc", "show"], "")
        found = read_statistics(shown)
        return {name: {"a_to_b": _counted(found, spec.a_to_b, f"x{n}", f"b{n}"),
                       "b_to_a": _counted(found, spec.b_to_a, f"y{n}", f"a{n}")}
                for name, (n, spec) in self._links.items()}  # fmt: skip

    def watch(self, on: bool) -> Stretch:
        """See `Backend.watch`: netem does not tell its lateness."""
        return Stretch({}, None)

    def alive(self) -> str:
        """The kernel does not stop working while the namespace is held."""
        return "" if self._space >= 0 else "the links were closed"

    def describe(self) -> dict[str, Any]:
        """How it runs."""
        return {"backend": self.name, "why": self._why, "tc": self._found.tc_version, "seed_honoured": self._found.seed}

    def close(self) -> None:
        """Let go of the wire namespace; its interfaces go with it, and with them their peers in the nodes."""
        if self._space >= 0:
            os.close(self._space)
            self._space = -1

    def _chain(self, n: int, a: End, b: End, spec: LinkSpec) -> None:
        with netlink.Netlink() as kernel:
            for bridge in (f"p{n}", f"q{n}"):
                _bridge(kernel, bridge)
            for end, inner in ((a, f"a{n}"), (b, f"b{n}")):
                home = netlink.u32(netlink.IFLA_NET_NS_PID, end.pid)
                _pair(kernel, inner, netlink.interface(end.ifname, end.mac, spec.mtu, up=False, extra=home), spec.mtu)
            _pair(kernel, f"x{n}", netlink.interface(f"y{n}", mtu=spec.mtu, up=False), spec.mtu)
            for bridge, members in ((f"p{n}", ("a", "x")), (f"q{n}", ("y", "b"))):
                master = netlink.u32(netlink.IFLA_MASTER, kernel.index(bridge))
                for letter in members:
                    offloads.off(f"{letter}{n}")
                    kernel.change(netlink.interface(f"{letter}{n}", extra=master))


def commands(n: int, name: str, spec: LinkSpec, *, with_seed: bool) -> list[str]:
    """The `tc` batch of link number `n`. Loss and jitter of the two directions get different seeds."""
    lines = []
    for way, rate_at, wire_at in (("a_to_b", f"x{n}", f"b{n}"), ("b_to_a", f"y{n}", f"a{n}")):
        one = getattr(spec, way)
        seed = zlib.crc32(f"{spec.seed} {name} {way}".encode()) if with_seed else None
        lines += [tc_plan.rate_command(one, spec.mtu, rate_at), tc_plan.wire_command(one, spec.mtu, wire_at, seed)]
    return [line for line in lines if line]


def read_statistics(text: str) -> dict[str, dict[str, int]]:
    """`tc -s qdisc show` to interface -> bytes, packets, dropped (of its root qdisc)."""
    pattern = r"qdisc (\w+) \w+: dev (\S+) root.*\n Sent (\d+) bytes (\d+) pkt \(dropped (\d+)"
    return {dev: {"bytes": int(size), "packets": int(packets), "dropped": int(dropped)}
            for kind, dev, size, packets, dropped in re.findall(pattern, text) if kind in ("tbf", "netem")}  # fmt: skip


def _counted(found: dict[str, dict[str, int]], way: Direction, rate_at: str, wire_at: str) -> DirectionCounters:
    rate, wire = found.get(rate_at), found.get(wire_at)
    last = wire or rate or {"packets": 0, "bytes": 0, "dropped": 0}
    first = rate or last
    lost = (wire["dropped"] if wire else 0) if way.loss else 0
    overflow = wire["dropped"] if wire and not way.loss else 0
    queue = (rate["dropped"] if rate else 0) + overflow
    return DirectionCounters(packets=first["packets"] + first["dropped"], bytes=first["bytes"],
                             delivered=last["packets"], dropped_queue=queue, lost=lost)  # fmt: skip


def _bridge(kernel: netlink.Netlink, name: str) -> None:
    quiet = netlink.u32(netlink.BR_STP_STATE, 0) + netlink.attribute(netlink.BR_MCAST_SNOOPING, b"\0")
    kernel.make(netlink.interface(name, extra=netlink.kind("bridge", quiet)))


def _pair(kernel: netlink.Netlink, near: str, far: bytes, mtu: int) -> None:
    peer = netlink.kind("veth", netlink.attribute(netlink.VETH_INFO_PEER, far))
    kernel.make(netlink.interface(near, mtu=mtu, up=False, extra=peer))


def _tc(lines: list[str]) -> None:
    if lines:
        _run(["tc", "-batch", "-"], "\n".join(lines) + "\n")


def _run(words: list[str], given: str) -> str:
    done = subprocess.run(words, input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line.strip().removeprefix("Error: ") for line in done.stderr.splitlines() if line.strip()]
        raise BackendError(f"tc said: {'; '.join(said) or f'nothing, status {done.returncode}'} ({given.strip()})")
    return done.stdout
