"""What the relay asks of the kernel to be on time: a nanosecond timer, no timer slack, real-time scheduling.

It is not a scheduler; a machine that refuses real-time scheduling is told to the parent and goes on without.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal

_libc = ctypes.CDLL(None, use_errno=True)
_CLOCK_MONOTONIC = 1
_TFD_NONBLOCK, _TFD_CLOEXEC, _TFD_TIMER_ABSTIME = 0o4000, 0o2000000, 1
_PR_SET_PDEATHSIG, _PR_SET_TIMERSLACK = 1, 29
_PRIORITY = 10


class _Itimerspec(ctypes.Structure):
    _fields_ = [(name, ctypes.c_long) for name in ("interval_s", "interval_ns", "value_s", "value_ns")]


class Timer:
    """A timerfd on CLOCK_MONOTONIC; epoll's own timeouts are whole milliseconds. Readable when the moment has come."""

    def __init__(self) -> None:
        self.fd = _libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK | _TFD_CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "could not make a timer")
        self._value = _Itimerspec()
        self._pointer = ctypes.byref(self._value)
        self._armed = 0

    def arm(self, due_ns: int) -> None:
        """Become readable at `due_ns` (0: never). Arming also clears an expiry."""
        if due_ns == self._armed:
            return
        self._value.value_s, self._value.value_ns = divmod(due_ns, 10**9)
        if _libc.timerfd_settime(self.fd, _TFD_TIMER_ABSTIME, self._pointer, None) != 0:
            raise OSError(ctypes.get_errno(), "could not set a timer")
        self._armed = due_ns


def prepare(parent: int) -> str:
    """Die with the parent, drop timer slack and garbage collection, ask for SCHED_FIFO; returns the class obtained.

    `parent` is the pid that started us: if it is gone already the death signal would never come, so we leave at once.
    """
    _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit(0)
    _libc.prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    # The loop makes no reference cycles; a collection in the middle of it would only make packets late.
    gc.freeze()
    gc.disable()
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
    except OSError as error:
        return f"SCHED_OTHER (SCHED_FIFO refused: {error.strerror})"
    return "SCHED_FIFO"
