"""The frames in which the command and the guest's agent talk over one virtio-serial port. It does no I/O.

One byte of kind, four of length (big endian), then the payload. One ordered stream carries everything: output, errors,
exit status and files, so that the end of it says that nothing is missing.
"""

from __future__ import annotations

import struct

UP, OUT, ERR, STATUS, MISSING, FILES, DONE, BEAT = range(1, 9)
"""From the guest: agent is there; bytes of the command's two streams; its exit status (text); a path to bring back that
is not there; a piece of the tar archive of what is brought back; the last frame; a sign of life."""

IN, IN_END, SIZE = range(101, 104)
"""To the guest: bytes for the command's standard input; its end; `ROWS COLUMNS` of the terminal."""

KINDS = frozenset((UP, OUT, ERR, STATUS, MISSING, FILES, DONE, BEAT, IN, IN_END, SIZE))
MOST_BYTES = 1 << 16
_HEAD = struct.Struct(">BI")


class FrameError(ValueError):
    """Bytes that are no frame: something else writes to the port."""


def frame(kind: int, payload: bytes = b"") -> bytes:
    """One frame. Raises FrameError for a kind that is none and for more than MOST_BYTES."""
    if kind not in KINDS or len(payload) > MOST_BYTES:
        raise FrameError(f"kind {kind} with {len(payload)} bytes is no frame")
    return _HEAD.pack(kind, len(payload)) + payload


class Reader:
    """Puts frames together from pieces of any size."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, piece: bytes) -> list[tuple[int, bytes]]:
        """The frames that are whole now, as (kind, payload). Raises FrameError."""
        self._held += piece
        whole, at = [], 0
        while len(self._held) - at >= _HEAD.size:
            kind, length = _HEAD.unpack_from(self._held, at)
            if kind not in KINDS or length > MOST_BYTES:
                raise FrameError(f"kind {kind} with {length} bytes is no frame")
            end = at + _HEAD.size + length
            if len(self._held) < end:
                break
            whole.append((kind, bytes(self._held[at + _HEAD.size : end])))
            at = end
        del self._held[:at]
        return whole
