"""TAP devices: one end of a relay link, made inside the namespace of its node.

It moves no packet; the open file descriptor is handed to the relay, and the device goes with its namespace.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Callable

from . import netlink, offloads
from .backend import BackendError, End, UnsupportedError
from .netns import entered

DEVICE = "/dev/net/tun"
TUNSETIFF, TUNSETPERSIST, TUNSETOFFLOAD = 0x400454CA, 0x400454CB, 0x400454D0
IFF_TAP, IFF_NO_PI, IFF_TUN_EXCL, IFF_VNET_HDR = 0x0002, 0x1000, 0x8000, 0x4000
CSUM, TSO4, TSO6, USO4, USO6 = 0x01, 0x02, 0x04, 0x20, 0x40  # of TUNSETOFFLOAD; USO since Linux 6.2
RING_FRAMES = 8192
"""Frames the kernel keeps for the relay to read; more than that were counted by it as dropped (an overrun)."""


def make(end: End, mtu: int, *, passed: bool = False, open_device: Callable[[str, int], int] = os.open) -> int:
    """A TAP named `end.ifname` in the namespace of `end.pid`, up, with MAC and MTU; returns its file descriptor.

    No offload is switched on, so every packet read is one frame of at most MTU + 14 bytes; with `passed` all are, and what is
    read has a virtio header and may be a segment of 64 KB. Raises UnsupportedError when the machine has no usable TAP driver,
    BackendError for anything else.
    """
    try:
        with entered(end.pid):
            fd = _open(open_device)
            try:
                _configure(fd, end, mtu, passed)
            except BaseException:
                os.close(fd)
                raise
            return fd
    except OSError as error:
        raise BackendError(f"could not make the interface {end.ifname}: {error.strerror or error}") from error


def _open(open_device: Callable[[str, int], int]) -> int:
    # The device belongs to the namespace in which /dev/net/tun is opened, not to the one of the ioctl.
    try:
        return open_device(DEVICE, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
            todo = "run: sudo modprobe tun, or pass the device into the container (--device /dev/net/tun)"
        elif error.errno in (errno.EACCES, errno.EPERM):
            todo = f"run as root, or let your user open it (sudo chmod 666 {DEVICE})"
        else:
            todo = "free file descriptors or memory and try again"
        raise UnsupportedError(f"could not open {DEVICE}: {error.strerror}; {todo}") from error


def _configure(fd: int, end: End, mtu: int, passed: bool) -> None:
    flags = IFF_TAP | IFF_NO_PI | IFF_TUN_EXCL | (IFF_VNET_HDR if passed else 0)
    request = struct.pack("16sH22x", end.ifname.encode(), flags)
    try:
        fcntl.ioctl(fd, TUNSETIFF, request)
    except PermissionError as error:
        raise UnsupportedError(f"could not make a TAP device: {error.strerror}; run as root, or where user namespaces "
                               "are open") from error  # fmt: skip
    # Persistent, so that it goes with its namespace, all at once; on close() the kernel would take 20 ms for each.
    fcntl.ioctl(fd, TUNSETPERSIST, 1)
    if passed:
        pass_segments(fd, True)
    else:
        offloads.off(end.ifname)
    with netlink.Netlink() as kernel:
        kernel.change(netlink.interface(end.ifname, end.mac, mtu, extra=netlink.u32(netlink.IFLA_TXQLEN, RING_FRAMES)))


def pass_segments(fd: int, on: bool) -> None:
    """Whether the kernel hands over segments whole (UDP's too, where it can) or cuts them into frames before."""
    wanted = CSUM | TSO4 | TSO6 if on else 0
    try:
        fcntl.ioctl(fd, TUNSETOFFLOAD, wanted | USO4 | USO6 if on else 0)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        fcntl.ioctl(fd, TUNSETOFFLOAD, wanted)
