"""What keeps a node's network and mount namespaces: one small process each, made by Mininet's `mnexec`.

It is not the node's shell, which is five times as dear to start and which most nodes never need. The process ends when
its standard input does, so it outlives neither the node nor whoever made it.
"""

from __future__ import annotations

import subprocess

from topologies.emulator.plan import NodeError


class Holder:
    """The process of one node. Several start side by side: only `pid` waits."""

    def __init__(self, name: str) -> None:
        self._name, self._ready = name, False
        # mnexec makes the (n)amespaces and then (p)rints; `ps` and `mn -c` know nodes by the last word.
        command = ["mnexec", "-np", "sh", "-c", "read _", f"mininet:{name}"]
        # A session of its own: Ctrl-C is for the lab.
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                             stderr=subprocess.STDOUT, start_new_session=True)  # fmt: skip
        except OSError as error:
            raise NodeError(f"could not start {name}: {error}; free file descriptors, processes or memory") from error

    @property
    def pid(self) -> int:
        """Its process number, once its namespaces are made. Raises NodeError."""
        if not self._ready:
            assert self._process.stdout
            with self._process.stdout as said:
                word = said.readline()
                if not word.startswith(b"\x01"):
                    why = (word + said.read()).decode(errors="replace").strip() or "mnexec ended without a word"
                    raise NodeError(f"could not make the namespaces of {self._name}: {why}; run `longhaul doctor`")
            self._ready = True
        return self._process.pid

    def end(self) -> None:
        """Let the namespaces go. A second call does nothing."""
        self._process.kill()  # closing its standard input is not enough while another process of ours has a copy of it
        self._process.communicate()
