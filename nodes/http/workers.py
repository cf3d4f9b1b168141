"""Several processes that serve one port: started, watched and stopped together by their parent, which serves nothing.

What they say to each other is `team.py`'s. When one dies the daemon ends with an error: the others may rely on it.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
import traceback

from nodes.http.channel import pair
from nodes.http.daemon import Build, Daemon, announce
from nodes.http.failure import Failure
from nodes.http.origin_address import host_port
from nodes.http.server import DRAIN_S
from nodes.http.team import Workers

_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}
_KILL_AFTER_S = DRAIN_S + 3
_LOOK_S = 0.02
"""How often the parent looks whether its workers are ready; it then sleeps until a signal."""


def serve(daemon: Daemon, listening: list[socket.socket], build: Build, build_worker: Build) -> int:
    """Run one worker for each socket until SIGTERM; returns the exit status."""
    return _Parent(daemon, listening, build, build_worker).run()


class _Parent:
    """Its workers by their process ids."""

    def __init__(self, daemon: Daemon, listening: list[socket.socket], build: Build, build_worker: Build) -> None:
        self._daemon, self._listening, self._build, self._build_worker = daemon, listening, build, build_worker
        self._address = ""
        self._workers: dict[int, int] = {}
        self._status = 0
        self._stopping_since: float | None = None
        self._ready, self._says_ready = os.pipe()
        self._lifeline, self._held = os.pipe()
        """Nothing is written: its end tells a worker that the parent is gone."""

    def run(self) -> int:
        """See serve."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        self._start()
        os.set_blocking(self._ready, False)
        awaited = len(self._workers)
        while self._workers:
            if awaited:
                awaited -= self._became_ready()
                if not awaited and self._stopping_since is None:
                    host, port = self._listening[0].getsockname()[:2]
                    self._close_listening()
                    announce(self._daemon.name, host_port(host, port))
            self._signal(_LOOK_S if awaited else 0.5)
        return self._status

    def _start(self) -> None:
        """Fork, the home first; every other worker shares a channel with it."""
        channels = {index: pair() for index in range(1, len(self._listening))}
        for index in range(len(self._listening)):
            process = os.fork()
            if process == 0:
                mine = {i: ends[0] for i, ends in channels.items()} if index == 0 else {0: channels[index][1]}
                self._be_worker(index, mine, [end for ends in channels.values() for end in ends])
            self._workers[process] = index
        for ends in channels.values():
            for end in ends:
                end.close()

    def _be_worker(self, index: int, mine: dict[int, socket.socket], channels: list[socket.socket]) -> None:
        """The life of a worker; never returns."""
        status = 1
        try:
            for sock in channels:
                if sock not in mine.values():
                    sock.close()
            for place, sock in enumerate(self._listening):
                if place != index:
                    sock.close()
            os.close(self._held)
            os.close(self._ready)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            team = Workers(index, len(self._listening), mine, self._lifeline)
            build = self._build if index == 0 else self._build_worker
            status = self._daemon.run(build, self._listening[index], team, lambda *_: self._say_ready())
        except Failure as failure:
            print(f"longhaul: {failure}", file=sys.stderr)
            status = failure.status
        except Exception:  # noqa: BLE001 (a defect, of which the exit below would tell nothing)
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _say_ready(self) -> None:
        os.write(self._says_ready, b".")
        os.close(self._says_ready)

    def _became_ready(self) -> int:
        try:
            return len(os.read(self._ready, len(self._listening)))
        except BlockingIOError:
            return 0

    def _close_listening(self) -> None:
        """The workers have their own descriptors of these; a socket that the parent held would take clients for ever."""
        for sock in self._listening:
            sock.close()

    def _signal(self, wait_s: float) -> None:
        """Wait for one signal, and do what it says."""
        found = signal.sigtimedwait(_SIGNALS, wait_s)
        number = found.si_signo if found is not None else 0
        if number in (signal.SIGTERM, signal.SIGINT):
            self._stop()
        elif number == signal.SIGHUP:
            self._tell(signal.SIGHUP)
        self._reap()
        if self._stopping_since is not None and time.monotonic() - self._stopping_since > _KILL_AFTER_S:
            self._tell(signal.SIGKILL)

    def _stop(self) -> None:
        if self._stopping_since is None:
            self._stopping_since = time.monotonic()
            self._tell(signal.SIGTERM)

    def _tell(self, number: int) -> None:
        for process in self._workers:
            os.kill(process, number)

    def _reap(self) -> None:
        """Take note of the workers that have ended."""
        while self._workers:
            process, waited = os.waitpid(-1, os.WNOHANG)
            if process == 0:
                return
            index, status = self._workers.pop(process), os.waitstatus_to_exitcode(waited)
            if self._stopping_since is None:
                how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
                print(f"longhaul: worker {index} {how}; the others are stopped", file=sys.stderr)
            if status != 0:
                self._status = self._status or (status if status > 0 else 1)
            if self._stopping_since is None:
                self._status = self._status or 1
                self._stop()
