"""One look-up of a name at the resolver that an order names: a stub resolver's question, and how long the answer took.

It keeps nothing and asks once: a second try would be another measurement. Without a resolver libcurl looks names up itself.
"""

from __future__ import annotations

import ipaddress
import time
from dataclasses import dataclass
from typing import Any

LONGEST_S = 5.0
"""A stub resolver of Linux waits so long for an answer (resolv.conf(5), `timeout`)."""


@dataclass(frozen=True)
class Found:
    """What a resolver said, and from when on (CLOCK_REALTIME) how long it took. `error` is empty when there are addresses."""

    started_ns: int
    took_ms: float
    addresses: tuple[str, ...] = ()
    ttl_s: int | None = None
    rcode: str = ""
    error: str = ""

    def as_dict(self, resolver: str) -> dict[str, Any]:
        """For the result."""
        return {"resolver": resolver, "addresses": list(self.addresses), "ttl_s": self.ttl_s, "rcode": self.rcode,
                "took_ms": self.took_ms}  # fmt: skip


def numeric(host: str) -> bool:
    """Whether there is nothing to look up."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def look_up(host: str, resolver: str, within_s: float) -> Found:
    """Ask `resolver` (HOST:PORT) for the IPv4 addresses of a name, by UDP, and by TCP when the answer does not fit."""
    import dns.exception  # here: it takes 50 ms, and few orders need it
    import dns.message
    import dns.query
    import dns.rcode
    import dns.rdatatype

    where, _, port = resolver.rpartition(":")
    started_ns, began = time.time_ns(), time.perf_counter()

    def took_ms() -> float:
        return round((time.perf_counter() - began) * 1e3, 3)

    try:
        query = dns.message.make_query(host, "A", use_edns=0)
        started_ns, began = time.time_ns(), time.perf_counter()
        answer, _ = dns.query.udp_with_fallback(query, where.strip("[]"), min(within_s, LONGEST_S), int(port))
    except (dns.exception.DNSException, OSError, ValueError) as error:
        why = str(error) or type(error).__name__
        return Found(started_ns, took_ms(), error=f"could not look up {host} at {resolver}: {why}")
    took, rcode = took_ms(), dns.rcode.to_text(answer.rcode())
    records = [rrset for rrset in answer.answer if rrset.rdtype == dns.rdatatype.A]
    addresses = tuple(record.address for rrset in records for record in rrset)
    if not addresses:
        why = f"it said {rcode} and no address"
        return Found(started_ns, took, (), None, rcode, f"could not look up {host} at {resolver}: {why}")
    return Found(started_ns, took, addresses, min(int(rrset.ttl) for rrset in records), rcode)
