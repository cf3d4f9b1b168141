"""The interfaces of a kernel link: three veth pairs in a row, the outer ends in the nodes. It shapes nothing.

The calling thread is in the wire namespace, except where a function says otherwise.
"""

from __future__ import annotations

import ctypes
import fcntl
import socket
import struct
from collections.abc import Iterable
from pathlib import Path

from . import netlink, offloads
from .backend import End
from .netns import NamespaceError, entered

_ETHTOOL_STXCSUM, _ETHTOOL_SSG = 0x17, 0x19  # set checksums by the device, set scatter-gather


def quiet() -> None:
    """No interface of the namespace speaks for itself: IPv6 would send router solicitations down the links."""
    switch = Path("/proc/sys/net/ipv6/conf/default/disable_ipv6")
    if switch.exists():
        switch.write_text("1", encoding="ascii")


def lay(number: int, a: End, b: End, mtu: int, *, passes: bool) -> None:
    """Make the pairs of link `number`, up inside, with the outer ends down in their nodes. Raises OSError.

    With `passes` offloads stay as they are along the whole chain, so that segments of up to 64 KB pass whole.
    """
    with netlink.Netlink() as kernel:
        for end, inner in ((a, f"a{number}"), (b, f"b{number}")):
            home = netlink.u32(netlink.IFLA_NET_NS_PID, end.pid)
            _pair(kernel, inner, netlink.interface(end.ifname, end.mac, mtu, up=False, extra=home), mtu)
        for near, far in (("x", "y"), ("u", "v")):
            _pair(kernel, f"{near}{number}", netlink.interface(f"{far}{number}", mtu=mtu, up=False), mtu)
        for letter in "axyuvb":
            if not passes:
                offloads.off(f"{letter}{number}")
            kernel.change(netlink.interface(f"{letter}{number}"))


def raise_ends(ends: Iterable[End], *, passes: bool) -> None:
    """Bring the ends in the nodes up. The calling thread may be anywhere. Raises OSError."""
    for end in ends:
        with entered(end.pid):
            if not passes:
                offloads.off(end.ifname)
            with netlink.Netlink() as kernel:
                kernel.change(netlink.interface(end.ifname))


def make_whole(ifname: str) -> None:
    """Frames leave this interface in one piece and with their checksums. Raises OSError.

    netem corrupts the first piece of a frame only, which for TCP is its headers, and completes the checksum of a frame just
    before (netem_enqueue in sch_netem.c); so what comes before it must make one piece, and treat the other frames alike.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for what in (_ETHTOOL_STXCSUM, _ETHTOOL_SSG):
            value = ctypes.create_string_buffer(struct.pack("II", what, 0), 8)
            fcntl.ioctl(control, offloads.SIOCETHTOOL, struct.pack("16sP16x", ifname.encode(), ctypes.addressof(value)))


def refused() -> dict[str, int]:
    """Frames that each interface could not give to its peer: the peer was down or the machine too slow."""
    with netlink.Netlink() as kernel:
        return {name: kernel.stats(name)["tx_dropped"] for name in kernel.interfaces()}


def overrun(end: End) -> int | None:
    """The same for the end in a node, or None when its namespace is gone. The calling thread may be anywhere."""
    try:
        with entered(end.pid), netlink.Netlink() as kernel:
            return kernel.stats(end.ifname)["tx_dropped"]
    except NamespaceError:
        return None


def _pair(kernel: netlink.Netlink, near: str, far: bytes, mtu: int) -> None:
    peer = netlink.kind("veth", netlink.attribute(netlink.VETH_INFO_PEER, far))
    kernel.make(netlink.interface(near, mtu=mtu, up=False, extra=peer))
