"""Routes as sites learn them by BGP: a prefix, its AS path, and perhaps how long a round trip into it takes.

It speaks no BGP and stores nothing; `prefixes.py` stores.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Mapping
from dataclasses import dataclass

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

LARGEST_ASN = 2**32 - 1
LONGEST_PATH = 255
DELAY_SOURCES = ("measured", "published")


class RouteError(ValueError):
    """A route that cannot be; the message says what of it and what may be."""


@dataclass(frozen=True, slots=True)
class Route:
    """One way into `prefix`. `as_path` begins with the neighbour's AS (RFC 4271, section 5.1.2); it is empty for a prefix of
    the site's own AS. An AS_SET counts as one member (section 9.1.2.2), so whoever reads one gives it as one number.
    `rtt_ms` is None when nobody knows it; `delay_source` says whether it was measured or published."""

    prefix: Network
    as_path: tuple[int, ...] = ()
    next_hop: str = ""
    rtt_ms: float | None = None
    delay_source: str = "measured"

    @property
    def distance(self) -> tuple[int, float]:
        """Proximity, nearest first: the length of the AS path, then the delay; an unknown delay is behind all known ones."""
        return len(self.as_path), math.inf if self.rtt_ms is None else self.rtt_ms


def parse(value: object) -> Route:
    """A route from JSON: `{"prefix": "203.0.113.0/24", "as_path": [64500], "next_hop": "10.0.0.1", "rtt_ms": 15}`.

    Raises RouteError.
    """
    if not isinstance(value, Mapping):
        raise RouteError(f"{value!r} is not a route; a route is an object with prefix, as_path, next_hop, rtt_ms, delay_source")
    if unknown := sorted(set(value) - {"prefix", "as_path", "next_hop", "rtt_ms", "delay_source"}, key=str):
        raise RouteError(f"a route has no field {unknown[0]!r}")
    rtt_ms = value.get("rtt_ms")
    if rtt_ms is not None and (isinstance(rtt_ms, bool) or not isinstance(rtt_ms, int | float) or not 0 <= rtt_ms < math.inf):
        raise RouteError(f"rtt_ms {rtt_ms!r} is not a number of milliseconds from 0 on")
    source = value.get("delay_source", "measured")
    if source not in DELAY_SOURCES:
        raise RouteError(f"delay_source {source!r} is neither measured nor published")
    next_hop = value.get("next_hop", "")
    if not isinstance(next_hop, str):
        raise RouteError(f"next_hop {next_hop!r} is not text")
    return Route(_prefix(value.get("prefix")), _path(value.get("as_path", [])), next_hop,
                 None if rtt_ms is None else float(rtt_ms), source)  # fmt: skip


def _prefix(value: object) -> Network:
    if not isinstance(value, str) or "/" not in value:
        raise RouteError(f"prefix {value!r} is not a prefix; write for example 203.0.113.0/24 or 2001:db8::/32")
    try:
        return ipaddress.ip_network(value)
    except ValueError as error:
        raise RouteError(f"prefix {value!r} is not a prefix: {error}") from error


def _path(value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or len(value) > LONGEST_PATH:
        raise RouteError(f"as_path is not a list of at most {LONGEST_PATH} AS numbers")
    for number in value:
        if isinstance(number, bool) or not isinstance(number, int) or not 0 < number <= LARGEST_ASN:
            raise RouteError(f"as_path holds {number!r}; an AS number is from 1 to {LARGEST_ASN}")
    return tuple(value)
