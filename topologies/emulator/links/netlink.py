"""The few rtnetlink messages that links need, one round trip each.

It is not a netlink library (pyroute2 is, and gives nodes their addresses and routes): a veth pair takes 0.5 ms by these
messages and 2 ms by pyroute2. The kernel's extended
acknowledgement is read, so that an error carries the kernel's own words.
"""

from __future__ import annotations

import os
import socket
import struct
from types import TracebackType

RTM_NEWLINK, RTM_GETLINK = 16, 18
REQUEST, ACK, EXCL, CREATE = 0x1, 0x4, 0x200, 0x400
IFF_UP = 0x1
(IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_MASTER, IFLA_TXQLEN, IFLA_LINKINFO, IFLA_NET_NS_PID,
 IFLA_STATS64) = 1, 3, 4, 10, 13, 18, 19, 23  # fmt: skip
INFO_KIND, INFO_DATA, VETH_INFO_PEER = 1, 2, 1
BR_STP_STATE, BR_MCAST_SNOOPING = 5, 23
SOL_NETLINK, NETLINK_EXT_ACK, ERR_ATTR_MSG = 270, 11, 1
ACK_CAPPED, ACK_TLVS = 0x100, 0x200

STATS64 = ("rx_packets", "tx_packets", "rx_bytes", "tx_bytes", "rx_errors", "tx_errors", "rx_dropped", "tx_dropped")


class KernelError(OSError):
    """The kernel refused a netlink request; the message has its own words where it gave any."""


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute: 16-bit length and type, padded to four bytes (netlink(7))."""
    return struct.pack("HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def u32(kind: int, value: int) -> bytes:
    """An attribute that is one unsigned number."""
    return attribute(kind, struct.pack("I", value))


def interface(name: str, mac: str = "", mtu: int = 0, *, up: bool = True, extra: bytes = b"") -> bytes:
    """`struct ifinfomsg` and the attributes that every interface of ours has; the index is found by name."""
    flag = IFF_UP if up else 0
    body = struct.pack("BxHiII", socket.AF_UNSPEC, 0, 0, flag, flag) + attribute(IFLA_IFNAME, name.encode() + b"\0")
    body += attribute(IFLA_ADDRESS, bytes.fromhex(mac.replace(":", ""))) if mac else b""
    return body + (u32(IFLA_MTU, mtu) if mtu else b"") + extra


class Netlink:
    """A route netlink socket of the network namespace in which it was opened."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._socket.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()

    def ask(self, message: int, flags: int, body: bytes) -> bytes:
        """Send one request and return the body of the answer (empty for an acknowledgement). Raises KernelError."""
        self._socket.send(struct.pack("IHHII", 16 + len(body), message, REQUEST | flags, 1, 0) + body)
        answer = self._socket.recv(65536)
        kind, answer_flags = struct.unpack_from("HH", answer, 4)
        if kind != 2:  # not NLMSG_ERROR: the answer to a GET
            return answer[16:]
        code = struct.unpack_from("i", answer, 16)[0]
        if code:
            raise KernelError(-code, _words(answer, answer_flags) or os.strerror(-code))
        return b""

    def make(self, body: bytes) -> None:
        """Create an interface."""
        self.ask(RTM_NEWLINK, ACK | CREATE | EXCL, body)

    def change(self, body: bytes) -> None:
        """Change an existing interface."""
        self.ask(RTM_NEWLINK, ACK, body)

    def index(self, name: str) -> int:
        """The number of an interface."""
        return int(struct.unpack_from("i", self.ask(RTM_GETLINK, 0, interface(name, up=False)), 4)[0])

    def stats(self, name: str) -> dict[str, int]:
        """The first counters of `struct rtnl_link_stats64` of an interface, by name."""
        answer = self.ask(RTM_GETLINK, 0, interface(name, up=False))
        at = 16
        while at + 4 <= len(answer):
            length, kind = struct.unpack_from("HH", answer, at)
            if kind == IFLA_STATS64:
                return dict(zip(STATS64, struct.unpack_from(f"{len(STATS64)}Q", answer, at + 4), strict=True))
            at += (length + 3) & ~3
        raise KernelError(0, f"the kernel gave no statistics of {name}")


def kind(name: str, data: bytes = b"") -> bytes:
    """The attribute that says which kind of interface to make (`veth`, `bridge`)."""
    inner = attribute(INFO_KIND, name.encode() + b"\0") + (attribute(INFO_DATA, data) if data else b"")
    return attribute(IFLA_LINKINFO, inner)


def _words(answer: bytes, flags: int) -> str:
    """The message of an extended acknowledgement: after the error code and the echoed request or its header."""
    if not flags & ACK_TLVS:
        return ""
    echoed = 16 if flags & ACK_CAPPED else struct.unpack_from("I", answer, 20)[0]
    at = 20 + ((echoed + 3) & ~3)
    while at + 4 <= len(answer):
        length, attribute_kind = struct.unpack_from("HH", answer, at)
        if attribute_kind & 0x3FFF == ERR_ATTR_MSG:
            return answer[at + 4 : at + length].rstrip(b"\0").decode(errors="replace")
        at += max(4, (length + 3) & ~3)
    return ""
