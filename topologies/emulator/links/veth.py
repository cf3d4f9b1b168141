"""A plain cable between two namespaces: a veth pair without any shaping.

It is not a link with a delay of zero: it has no queue, no rate and no counters of its own.
"""

from __future__ import annotations

from . import netlink, offloads
from .backend import BackendError, End
from .netns import entered


def lay(a: End, b: End, mtu: int) -> None:
    """Make the pair, each end up in its namespace with MTU and MAC, offloads off. Raises BackendError.

    One message makes both ends where they belong, so nothing ever appears in the caller's own namespace.
    """
    far = netlink.interface(b.ifname, b.mac, mtu, up=False, extra=netlink.u32(netlink.IFLA_NET_NS_PID, b.pid))
    peer = netlink.kind("veth", netlink.attribute(netlink.VETH_INFO_PEER, far))
    home = netlink.u32(netlink.IFLA_NET_NS_PID, a.pid)
    near = netlink.interface(a.ifname, a.mac, mtu, up=False, extra=home + peer)
    try:
        with netlink.Netlink() as kernel:
            kernel.make(near)
        for end in (a, b):
            with entered(end.pid):
                offloads.off(end.ifname)
                with netlink.Netlink() as kernel:  # only now: a veth whose peer is still being made can not go up
                    kernel.change(netlink.interface(end.ifname))
    except OSError as error:
        raise BackendError(f"could not lay the cable {a.ifname} - {b.ifname}: {error.strerror or error}") from error
