"""What one connection may take of this daemon: sizes and waiting times. The command line sets them (`options.py`).

Nothing here enforces them: `framing.py` and `inbound.py` do the sizes, `connection.py` the times.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Sizes in bytes, times in seconds.

    `header_timeout_s` is for a whole head (and a TLS handshake), from its first byte; `body_timeout_s` and
    `write_timeout_s` are for a client from which, or to which, not one byte moves; `idle_timeout_s` is between requests.
    """

    request_line_bytes: int = 8 * 1024
    fields_bytes: int = 64 * 1024
    fields_count: int = 200
    body_bytes: int = 1 << 40
    header_timeout_s: float = 30.0
    body_timeout_s: float = 60.0
    write_timeout_s: float = 60.0
    idle_timeout_s: float = 300.0
