"""EVCache's list of nodes, `APP-NODES=zone0=h:p,h:p;zone1=h:p`, as a value.

It resolves no name and opens no connection.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from nodes.http.origin_address import host_port

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
EXAMPLE = "write for example APP-NODES=zone0=10.0.0.1:11211,10.0.0.2:11211;zone1=10.0.1.1:11211"


@dataclass(frozen=True)
class Address:
    """Where one memcached listens."""

    host: str
    port: int

    @property
    def where(self) -> str:
        """`host:port`, for sentences and lists."""
        return host_port(self.host, self.port)

    @property
    def label(self) -> str:
        """`HOST/IP:PORT`, which ketama hashes. Lists hold addresses, whose host name is the address itself."""
        return f"{self.host}/{self.host}:{self.port}"


@dataclass(frozen=True)
class NodeList:
    """The application's name and, zone by zone in the list's order, its nodes."""

    app: str
    zones: dict[str, tuple[Address, ...]]


def parse(text: str) -> NodeList:
    """Raises ValueError, which names the part that is wrong."""
    head, equals, rest = text.strip().partition("=")
    app = head.removesuffix("-NODES")
    if not equals or app == head or not _NAME.fullmatch(app):
        raise ValueError(f"'{text}' does not begin with APP-NODES=; {EXAMPLE}")
    zones: dict[str, tuple[Address, ...]] = {}
    seen: dict[Address, str] = {}
    for part in rest.removesuffix(";").split(";"):
        zone, equals, nodes = part.strip().partition("=")
        zone = zone.strip()
        if not equals or not _NAME.fullmatch(zone):
            raise ValueError(f"'{part}' is not ZONE=HOST:PORT,...; {EXAMPLE}")
        if zone in zones:
            raise ValueError(f"zone {zone} stands twice; give each zone once, with all its nodes")
        if not nodes.strip():
            raise ValueError(f"zone {zone} is empty; give it a node or leave it out")
        found = tuple(_address(one.strip(), zone) for one in nodes.split(","))
        for one in found:
            if one in seen:
                where = f"zone {zone}" if seen[one] == zone else f"zones {seen[one]} and {zone}"
                raise ValueError(f"{one.where} stands twice, in {where}; a copy that is its own peer protects from nothing")
            seen[one] = zone
        zones[zone] = found
    return NodeList(app, zones)


def _address(text: str, zone: str) -> Address:
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not host.strip("[]") or (":" in host and not bracketed) or any(mark in host for mark in " /=") or \
            not (port.isascii() and port.isdigit() and 0 < int(port) <= 65535):  # fmt: skip
        raise ValueError(f"'{text}' in zone {zone} is not HOST:PORT with a port from 1 to 65535; {EXAMPLE}")
    return Address(host.strip("[]"), int(port))
