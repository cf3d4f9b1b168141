"""What of a guest's console tells why it failed. It is pure, and it is no log: the console is kept nowhere else."""

from __future__ import annotations

import re

KEPT_BYTES = 1 << 16
LINES = 12
_TELLING = re.compile(r"Kernel panic|Out of memory|BUG:|longhaul: |qemu-system")


class Console:
    """The last KEPT_BYTES of it."""

    def __init__(self) -> None:
        self._log = bytearray()

    def add(self, piece: bytes) -> None:
        """More was written to it."""
        self._log += piece
        del self._log[:-KEPT_BYTES]

    @property
    def out_of_memory(self) -> bool:
        """Whether the guest's kernel ended a process for want of memory."""
        return b"Out of memory" in self._log

    def last_words(self) -> str:
        """The lines that tell most, else the last ones; indented, each behind a line break."""
        lines = [line.rstrip() for line in self._log.decode(errors="replace").replace("\r", "").splitlines() if line.strip()]
        telling = [line for line in lines if _TELLING.search(line)]
        return "".join(f"\n  {line}" for line in (telling or lines)[-LINES:]) or " (it said nothing)"
