"""One processor for all frames of a direction, so that none overtakes another between two interfaces. It shapes nothing.

A veth pair leaves a frame with the processor that sends it, and each processor empties its own backlog when it comes to it: a
link of six interfaces on two processors let 21 of 4,432 frames overtake. Receive packet steering (the kernel's scaling.rst)
gives the frames of an interface to one processor, whoever sends them.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping

_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432  # the same on all architectures
_CLOEXEC, _CREATE = 1, 6  # FSOPEN_CLOEXEC and FSMOUNT_CLOEXEC, FSCONFIG_CMD_CREATE (linux/mount.h)
_libc = ctypes.CDLL(None, use_errno=True)


def processors(number: int) -> dict[str, int]:
    """Those of link `number`, one for each direction, among those that this process may use."""
    mine = sorted(os.sched_getaffinity(0))
    return {"a_to_b": mine[number % len(mine)], "b_to_a": mine[(number + 1) % len(mine)]}


def steer(receivers: Mapping[str, int]) -> None:
    """What arrives at these interfaces of the calling thread's namespace is for that processor. Raises OSError: the kernel
    allows it to the machine's own root only, not to that of a user namespace."""
    mounted = _sysfs()
    try:
        for ifname, processor in receivers.items():
            file = os.open(f"class/net/{ifname}/queues/rx-0/rps_cpus", os.O_WRONLY, dir_fd=mounted)
            try:
                os.write(file, mask(processor).encode())
            finally:
                os.close(file)
    finally:
        os.close(mounted)


def mask(processor: int) -> str:
    """The bit of one processor as the kernel reads masks: hexadecimal, a comma after every 32 bits."""
    return f"{1 << processor % 32:x}" + ",00000000" * (processor // 32)


def _sysfs() -> int:
    """A mount of sysfs that shows the namespace of the calling thread and stands in no directory; its file descriptor. The
    sysfs in /sys shows another namespace."""
    context = _checked(_libc.syscall(_FSOPEN, b"sysfs", _CLOEXEC))
    try:
        _checked(_libc.syscall(_FSCONFIG, context, _CREATE, None, None, 0))
        return _checked(_libc.syscall(_FSMOUNT, context, _CLOEXEC, 0))
    finally:
        os.close(context)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"mounting sysfs: {os.strerror(number)}")
    return result
