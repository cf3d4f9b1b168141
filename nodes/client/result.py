"""The result of a fetch, field by field.

It holds numbers and words; it does not compute statistics.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Result:
    """Every `_ms` is the time since the start of the fetch, so they never decrease from one to the next.

    `dns_ms` name known; `connect_ms` TCP handshake done (0 on a reused connection); `tls_ms` TLS handshake done (0
    without TLS); `request_sent_ms` about to send the request (CURLINFO_PRETRANSFER); `first_byte_ms` first byte of the
    response received (CURLINFO_STARTTRANSFER); `total_ms` last byte received. None where a fetch failed before that
    step. `started_ns` is CLOCK_REALTIME. `digest_ok` is None when no digest was expected. `tls_version`,
    `tls_session_offered` and `tls_session_resumed` (the server took it, and sent no certificate) are of the handshake of this
    fetch, None when it made none. `early_data_bytes` went with the first message of TLS 1.3 and were not refused, None
    without TLS. `ranked` is of a fetch by steering's list: `rank` and `site` that served, `miss`
    (`content`, `health` or empty), every one of the `tries`, `list_ms` and, with all of these, `spent_ms`; and `listed`, the
    whole answer of steering. `lookup` is what the order's resolver said; `dns_ms` and all after it hold its time.
    """

    url: str
    id: Any = None
    ok: bool = False
    error: str | None = None
    http_status: int | None = None
    http_version: str | None = None
    dns_ms: float | None = None
    connect_ms: float | None = None
    tls_ms: float | None = None
    request_sent_ms: float | None = None
    first_byte_ms: float | None = None
    total_ms: float | None = None
    size_bytes: int = 0
    sha256: str | None = None
    digest_ok: bool | None = None
    local_port: int | None = None
    remote: str | None = None
    new_connection: bool | None = None
    tls_version: str | None = None
    tls_session_offered: bool | None = None
    tls_session_resumed: bool | None = None
    early_data_bytes: int | None = None
    started_ns: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    tcp_info: dict[str, Any] | None = None
    ranked: dict[str, Any] | None = None
    lookup: dict[str, Any] | None = None

    def later(self, by_ms: float) -> None:
        """What it says happened so much later after its start, because a look-up came before."""
        self.dns_ms = round((self.dns_ms or 0.0) + by_ms, 3)
        for name in ("connect_ms", "tls_ms", "request_sent_ms", "first_byte_ms", "total_ms"):
            if at_ms := getattr(self, name):  # 0 is a step that was not made
                setattr(self, name, round(at_ms + by_ms, 3))

    def as_dict(self) -> dict[str, Any]:
        """For one JSON line."""
        return asdict(self)
