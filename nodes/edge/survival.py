"""Whether a fetch goes on when the last client that waited for it has left.

It ends nothing itself. A CDN edge pays for bytes twice when it drops what it nearly has, and for nothing when it
fetches to the end what nobody wants; this is the middle.
"""

from __future__ import annotations

SMALL_BYTES = 256 * 1024
"""What is left of an object that is worth its request: finishing costs less than asking again."""


def worth_finishing(have_bytes: int, length_bytes: int | None) -> bool:
    """More than half of it is here, or little is missing. Of unknown length: no."""
    if length_bytes is None:
        return False
    return have_bytes * 2 > length_bytes or length_bytes - have_bytes <= SMALL_BYTES
