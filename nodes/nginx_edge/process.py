"""A running nginx: started with a configuration, reloaded, stopped. It does not know what nginx is to serve."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

from nodes import programs

READY_S = 10.0
STOP_S = 10.0
LOOK_S = 0.005


def program() -> str:
    """nginx's path. Raises Failure when there is none."""
    return programs.program("nginx", "nginx")


class Nginx:
    """One master and its workers, below `folder`. It ends with this process, however that ends."""

    def __init__(self, program: str, folder: Path, configuration: str) -> None:
        self.folder = folder
        (folder / "tmp").mkdir(parents=True, exist_ok=True)
        self.write(configuration)
        # setpriv (util-linux) has the kernel end it with us; an nginx that lost its starter would serve on unseen.
        command = ["setpriv", "--pdeathsig", "TERM", "--", program, "-p", ".", "-c", "nginx.conf"]
        self._master = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL)

    def write(self, configuration: str) -> None:
        """The configuration that the next reload takes."""
        (self.folder / "nginx.conf").write_text(configuration, encoding="utf-8")

    def alive(self) -> bool:
        """Whether it runs."""
        return self._master.poll() is None

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Its exit status, None when it still runs."""
        try:
            return self._master.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def workers(self) -> set[int]:
        """Worker processes that accept connections."""
        return {pid for pid, title in self._children().items() if title == "nginx: worker process"}

    def reload(self) -> None:
        """Take the configuration that was written; when it returns no worker of before accepts. Raises TimeoutError."""
        before, deadline = self.workers(), time.monotonic() + READY_S
        self._master.send_signal(signal.SIGHUP)
        while not (now := self.workers()) or now & before:
            if time.monotonic() > deadline or not self.alive():
                raise TimeoutError(f"nginx did not take its new configuration within {READY_S:.0f} s")
            time.sleep(LOOK_S)

    def stop(self) -> int:
        """Finish what is served, for at most 10 s; gives the exit status."""
        if self.alive():
            self._master.send_signal(signal.SIGQUIT)
        status = self.wait(STOP_S)
        if status is None:
            self._master.send_signal(signal.SIGTERM)
            status = self._master.wait()
        return status

    def _children(self) -> dict[int, str]:
        """Processes below the master with their titles; one that is leaving says so in its title."""
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal():
                continue
            try:
                parent = int((entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
                if parent == self._master.pid:
                    title = (entry / "cmdline").read_bytes().rstrip(b"\0").decode(errors="replace")
                    found[int(entry.name)] = title.strip()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended meanwhile
        return found
