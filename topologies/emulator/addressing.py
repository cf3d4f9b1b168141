"""What a node's plan asks of its kernel: addresses, neighbours, routes and rules, as netlink requests.

It sends none of them and knows no namespace. Structures and numbers are those of rtnetlink(7), `linux/rtnetlink.h`,
`linux/neighbour.h` and `linux/fib_rules.h`.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from ipaddress import IPv4Address
from socket import AF_INET

from topologies.emulator.links.netlink import CREATE, EXCL, REPLACE, Request, attribute, u32
from topologies.emulator.plan import Interface, NodePlan

RTM_NEWADDR, RTM_NEWROUTE, RTM_NEWNEIGH, RTM_NEWRULE = 20, 24, 28, 32
IFA_ADDRESS, IFA_LOCAL = 1, 2
NDA_DST, NDA_LLADDR, PERMANENT = 1, 2, 0x80
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PREFSRC, RTA_METRICS, RTA_TABLE = 1, 4, 5, 7, 8, 15
FRA_DST, FRA_SRC, FRA_PRIORITY, FRA_TABLE, TO_TABLE = 1, 2, 6, 15, 1
NOBODY = "06:00:00:00:00:00"
"""Those of a lab begin with 02."""
MAIN, STATIC, UNIVERSE, LINK, UNICAST = 254, 4, 0, 253, 1
METRICS = {"initcwnd": 11, "initrwnd": 14, "cc_algo": 16, "window": 3, "ssthresh": 6, "advmss": 8, "quickack": 15}
"""Metrics of a route that a lab sets (RTAX_...): the initial windows in segments, the name of a congestion control, the largest
window to advertise in bytes, where slow start first ends in segments, the segment size in bytes, and whether each segment is
acknowledged at once (1)."""

FIRST_POLICY_TABLE = 1000
"""Routing tables, and priorities of their rules, that policies use, one each."""


def addresses(plan: NodePlan, numbers: Mapping[str, int]) -> list[Request]:
    """The address of every interface, and its neighbour. `numbers` are the interfaces' by name; one missing is a KeyError."""
    found = []
    for interface in plan.interfaces:
        number, own = numbers[interface.name], _packed(interface.address)
        body = struct.pack("BBBBI", AF_INET, 30, 0, UNIVERSE, number) + attribute(IFA_LOCAL, own) + attribute(IFA_ADDRESS, own)
        found.append(Request(f"address {interface.address} on {interface.name}", RTM_NEWADDR, CREATE | EXCL, body))
        found.append(neighbour(interface, number))
    return found


def neighbour(interface: Interface, number: int, *, there: bool = True) -> Request:
    """A lasting neighbour, since ARP would cross the ocean and add a round trip to the first packet. One that is not `there`
    has an address that no interface has: what is sent to it is lost without a word, as on a cable that is cut."""
    mac = interface.peer_mac if there else NOBODY
    body = struct.pack("BxxxiHBB", AF_INET, number, PERMANENT, 0, 0) + attribute(NDA_DST, _packed(interface.peer_address))
    body += attribute(NDA_LLADDR, bytes.fromhex(mac.replace(":", "")))
    return Request(f"neighbour {interface.peer_address}", RTM_NEWNEIGH, CREATE | REPLACE, body)


def routes(plan: NodePlan, numbers: Mapping[str, int], metrics: Mapping[str, int | str]) -> list[Request]:
    """Every route of the main table with these metrics, those of METRICS; it takes the place of the one that is there."""
    terms = b"".join(u32(METRICS[name], value) if isinstance(value, int) else attribute(METRICS[name], value.encode() + b"\0")
                     for name, value in metrics.items())  # fmt: skip
    more = attribute(RTA_PREFSRC, _packed(plan.address)) + attribute(RTA_METRICS, terms)
    found = [
        _route(interface.peer_address, numbers[interface.name], "", scope=LINK, flags=CREATE | REPLACE, more=more)
        for interface in plan.interfaces
    ]
    onward = [*plan.routes, *([("", *plan.default)] if plan.default else [])]
    return found + [
        _route(target, numbers[name], via, scope=UNIVERSE, flags=CREATE | REPLACE, more=more) for target, via, name in onward
    ]


def policies(plan: NodePlan, numbers: Mapping[str, int]) -> list[Request]:
    """A table with one route, and the rule that leads there, for every policy."""
    found = []
    for table, (source, target, via, name) in enumerate(plan.policies, FIRST_POLICY_TABLE):
        found.append(_route("", numbers[name], via, scope=UNIVERSE, flags=CREATE | EXCL, more=u32(RTA_TABLE, table), table=0))
        body = struct.pack("BBBBBBBBI", AF_INET, 32, 32, 0, 0, 0, 0, TO_TABLE, 0)
        body += attribute(FRA_DST, _packed(target)) + attribute(FRA_SRC, _packed(source))
        body += u32(FRA_TABLE, table) + u32(FRA_PRIORITY, table)
        found.append(Request(f"rule for {source} to {target}", RTM_NEWRULE, CREATE | EXCL, body))
    return found


def _route(target: str, number: int, via: str, *, scope: int, flags: int, more: bytes, table: int = MAIN) -> Request:
    """A route to an address (empty: to everything), by a next hop or (empty) straight; a table over 255 stands in `more`."""
    body = struct.pack("BBBBBBBBI", AF_INET, 32 if target else 0, 0, 0, table, STATIC, scope, UNICAST, 0)
    body += attribute(RTA_DST, _packed(target)) if target else b""
    body += u32(RTA_OIF, number) + (attribute(RTA_GATEWAY, _packed(via)) if via else b"") + more
    return Request(f"route to {target or 'everything else'}", RTM_NEWROUTE, flags, body)


def _packed(address: str) -> bytes:
    return IPv4Address(address).packed
