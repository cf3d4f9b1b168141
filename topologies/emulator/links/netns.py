"""Entering the network namespace of another process, for the calling thread only.

It is not a process boundary: files, mounts and ids stay as they are; only what the thread opens inside (sockets,
TAP devices, netlink) belongs to the other namespace, and keeps belonging to it after the thread has come back.
Python 3.11 has no `os.setns`, hence ctypes.
"""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

CLONE_NEWNET = 0x40000000
_OWN = "/proc/thread-self/ns/net"
_libc = ctypes.CDLL(None, use_errno=True)


class NamespaceError(OSError):
    """A namespace that cannot be entered or made; the message names the process and the kernel's reason."""


@contextmanager
def entered(where: int) -> Iterator[None]:
    """Run the body inside the network namespace of process `where` (a pid). Raises NamespaceError.

    A failure to come back raises as well: a thread in the wrong namespace must not go on.
    """
    try:
        target = os.open(f"/proc/{where}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise NamespaceError(f"could not enter the network namespace of process {where}: {error.strerror}") from error
    try:
        with entered_fd(target):
            yield
    finally:
        os.close(target)


@contextmanager
def entered_fd(target: int) -> Iterator[None]:
    """Run the body inside the network namespace that the open file descriptor `target` refers to."""
    home = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _setns(target)
        try:
            yield
        finally:
            _setns(home)
    finally:
        os.close(home)


def fresh() -> int:
    """A new network namespace that lives as long as the returned file descriptor (and what is opened in it).

    It needs no process to hold it, so nothing is left behind when this process is killed. Raises NamespaceError.
    """
    home = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.unshare(CLONE_NEWNET) != 0:
            reason = os.strerror(ctypes.get_errno())
            raise NamespaceError(f"could not make a network namespace: {reason}")
        try:
            return os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
        finally:
            _setns(home)
    finally:
        os.close(home)


def socket_in(pid: int, family: int, kind: int, protocol: int = 0) -> socket.socket:
    """A socket that belongs to the namespace of process `pid`; it is usable from anywhere afterwards."""
    with entered(pid):
        return socket.socket(family, kind, protocol)


def _setns(fd: int) -> None:
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        raise NamespaceError(f"could not enter a network namespace: {os.strerror(ctypes.get_errno())}")
