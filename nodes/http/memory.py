"""How the C library keeps memory: pieces of content come and go by the thousand, and the kernel need not see each.

It limits nothing: what a process once used stays with it, up to `KEPT_BYTES`.
"""

from __future__ import annotations

import ctypes

KEPT_BYTES = 64 * 1024 * 1024
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Of mallopt(3)."""


def keep_memory() -> None:
    """Have free memory kept for the next piece. glibc gives the end of its heap back whenever 128 KiB of it are free, and a
    proxy then pays 16 page faults for each 64 KiB that pass through. With another C library nothing changes."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(_MMAP_THRESHOLD, 4 * 1024 * 1024)
