"""What the kernel knows of a live TCP connection: `getsockopt(TCP_INFO)`.

It does not measure anything itself; the numbers are the kernel's at the moment of the call. Layout: `struct tcp_info`
of linux/tcp.h, which only ever grows at its end: what an older kernel does not know yet is missing here.
"""

from __future__ import annotations

import socket
import struct
from typing import Any

_HEAD = struct.Struct("=8B24I")
SYN_DATA = 32
"""TCPI_OPT_SYN_DATA: what was sent in the SYN was acknowledged with it (TCP Fast Open)."""
_NAMES = (
    "rto_us", "ato_us", "snd_mss", "rcv_mss", "unacked", "sacked", "lost", "retrans", "fackets", "last_data_sent_ms",
    "last_ack_sent_ms", "last_data_recv_ms", "last_ack_recv_ms", "pmtu", "rcv_ssthresh", "rtt_us", "rttvar_us",
    "snd_ssthresh", "snd_cwnd", "advmss", "reordering", "rcv_rtt_us", "rcv_space", "total_retrans",
)  # fmt: skip
_LATER = (
    ("Q", "pacing_rate"), ("Q", "max_pacing_rate"), ("Q", "bytes_acked"), ("Q", "bytes_received"), ("I", "segs_out"),
    ("I", "segs_in"), ("I", "notsent_bytes"), ("I", "min_rtt_us"), ("I", "data_segs_in"), ("I", "data_segs_out"),
    ("Q", "delivery_rate"), ("Q", "busy_time_us"), ("Q", "rwnd_limited_us"), ("Q", "sndbuf_limited_us"),
    ("I", "delivered"), ("I", "delivered_ce"), ("Q", "bytes_sent"), ("Q", "bytes_retrans"),
)  # fmt: skip
"""What newer kernels add: rates in bytes a second, times in microseconds."""


def tcp_info(sock: socket.socket) -> dict[str, Any]:
    """Microseconds, segments and bytes as the names say, with the congestion control's name. Raises OSError."""
    raw = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 512)
    values = _HEAD.unpack_from(raw.ljust(_HEAD.size, b"\0"))
    found: dict[str, Any] = dict(zip(_NAMES, values[8:], strict=True))
    found["state"], found["retransmits"] = values[0], values[2]
    found["syn_data_acked"] = bool(values[5] & SYN_DATA)
    at = _HEAD.size
    for kind, name in _LATER:
        if at + struct.calcsize(kind) > len(raw):
            break
        (found[name],) = struct.unpack_from(f"={kind}", raw, at)
        at += struct.calcsize(kind)
    control = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
    found["congestion_control"] = control.split(b"\0")[0].decode("ascii")
    return found
