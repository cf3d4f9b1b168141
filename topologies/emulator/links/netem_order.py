"""One processor for all frames of a link, so that none overtakes another between two interfaces. It shapes nothing.

A veth pair leaves a frame with the processor that sends it, and each processor empties its own backlog when it comes to it.
When a sender moves from a busy processor to an idle one, its later frames pass the earlier: 21 of 4,432 in a dense train.
Receive packet steering (the kernel's scaling.rst) gives what arrives at the gates of a link to one processor, whoever sends
it. All that follows, timers and the other interfaces, stays with that one.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable

_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432  # the same on all architectures
_CLOEXEC, _CREATE = 1, 6  # FSOPEN_CLOEXEC and FSMOUNT_CLOEXEC, FSCONFIG_CMD_CREATE (linux/mount.h)
_libc = ctypes.CDLL(None, use_errno=True)


def steer(gates: Iterable[str], number: int) -> str:
    """What arrives at these interfaces of the calling thread's namespace is for one processor, those of link `number`, so that
    links share them. Empty, or why that is not possible: the kernel allows it to the machine's own root only."""
    mine = sorted(os.sched_getaffinity(0))
    try:
        _write(gates, mask(mine[number % len(mine)]))
    except OSError as error:
        return f"frames may overtake where processors compete: they could not be steered ({error.strerror})"
    return ""


def mask(processor: int) -> str:
    """The bit of one processor as the kernel reads masks: hexadecimal, a comma after every 32 bits."""
    return f"{1 << processor % 32:x}" + ",00000000" * (processor // 32)


def _write(gates: Iterable[str], text: str) -> None:
    mounted = _sysfs()
    try:
        for ifname in gates:
            file = os.open(f"class/net/{ifname}/queues/rx-0/rps_cpus", os.O_WRONLY, dir_fd=mounted)
            try:
                os.write(file, text.encode())
            finally:
                os.close(file)
    finally:
        os.close(mounted)


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
