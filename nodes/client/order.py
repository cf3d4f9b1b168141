"""A fetch as it is ordered: a JSON object checked field by field.

It does not fetch. An unknown field is an error: an order that is half understood would measure something else.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

_CHOICES: dict[str, tuple[str | None, ...]] = {
    "connection": ("new", "keep", "reuse"), "method": ("GET", "HEAD"), "tls_version": (None, "1.2", "1.3"),
    "tls_session": ("new", "reuse"), "http_version": ("1.0", "1.1", "2", "2-prior-knowledge", "3"),
}  # fmt: skip


class OrderError(ValueError):
    """An order that cannot be carried out as written; the message names the field and what is allowed."""


@dataclass(frozen=True)
class Order:
    """`connection` is `new` (closed afterwards), `keep` (new, all kept ones closed before, then kept) or `reuse` (the
    kept one if there is one, and kept); `resolve` maps `host:port` to an address.

    `resolver` (HOST:PORT) is asked for the URL's name, and the time that takes is the look-up's; without it the system is.

    `fast_open` sends the request in the SYN where the kernel has a cookie of the server, and asks for one where it has not
    (RFC 7413); whether the server took it is `syn_data_acked` of the result's `tcp_info`.

    `ranked` says that the URL is steering's, and that what it lists is to be fetched, in order, until one serves.

    Of https: `cacert` is a PEM file of the authorities to trust (the system's without it), `insecure` trusts anyone,
    `tls_version` allows that version alone, and `tls_session` is `new` (a full handshake, remembering nothing) or
    `reuse` (the session of the last fetch of that host ordered so is offered, and the one that comes is remembered).
    `tls_groups` are the key exchanges to offer, such as `X25519:P-256`; OpenSSL's own choice has a post-quantum one, whose
    share makes the first message of the handshake longer than a segment: it fits neither a SYN nor one packet of QUIC.
    `early_data` sends the request with that message where the session that is resumed allows it (RFC 8446, section 2.3).
    """

    url: str
    connection: str = "new"
    method: str = "GET"
    expect_sha256: str | None = None
    timeout_s: float = 60.0
    headers: dict[str, str] = field(default_factory=dict)
    congestion_control: str | None = None
    resolve: dict[str, str] = field(default_factory=dict)
    http_version: str = "1.1"
    insecure: bool = False
    cacert: str | None = None
    tls_version: str | None = None
    tls_session: str = "new"
    tls_groups: str | None = None
    early_data: bool = False
    fast_open: bool = False
    ranked: bool = False
    resolver: str | None = None
    id: Any = None


def parse(line: str) -> Order:
    """An order from one line of JSON. Raises OrderError."""
    try:
        given = json.loads(line)
    except json.JSONDecodeError as error:
        raise OrderError(f"the order is not JSON: {error}") from error
    if not isinstance(given, dict):
        raise OrderError("the order is not a JSON object")
    unknown = sorted(set(given) - set(Order.__dataclass_fields__))
    if unknown:
        raise OrderError(f"unknown field {unknown[0]!r}; allowed are {', '.join(Order.__dataclass_fields__)}")
    if not isinstance(given.get("url"), str):
        raise OrderError("the order has no url")
    order = Order(**given)
    _check(order)
    if order.resolver is not None:
        _check_resolver(order.resolver, order.url)
    return order


def _check(order: Order) -> None:
    if not re.match(r"https?://", order.url):
        raise OrderError(f"url {order.url!r} begins with neither http:// nor https://")
    for name, allowed in _CHOICES.items():
        if getattr(order, name) not in allowed:
            words = ", ".join(one for one in allowed if one is not None)
            raise OrderError(f"{name} {getattr(order, name)!r} is not one of {words}")
    if isinstance(order.timeout_s, bool) or not isinstance(order.timeout_s, int | float) or not order.timeout_s > 0:
        raise OrderError(f"timeout_s {order.timeout_s!r} is not a number above zero")
    digest = order.expect_sha256
    if digest is not None and not (isinstance(digest, str) and re.fullmatch(r"[0-9a-fA-F]{64}", digest)):
        raise OrderError(f"expect_sha256 {digest!r} is not 64 hexadecimal digits")
    for name in ("headers", "resolve"):
        value = getattr(order, name)
        if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
            raise OrderError(f"{name} is not an object of strings")
        if any(mark in text for pair in value.items() for text in pair for mark in "\r\n"):
            raise OrderError(f"{name} holds a line break")
    for name in ("congestion_control", "cacert", "tls_groups"):
        value = getattr(order, name)
        if value is not None and not isinstance(value, str):
            raise OrderError(f"{name} {value!r} is not a {'file' if name == 'cacert' else 'name'}")
    for name in ("insecure", "fast_open", "early_data", "ranked"):
        if not isinstance(getattr(order, name), bool):
            raise OrderError(f"{name} {getattr(order, name)!r} is neither true nor false")


def _check_resolver(resolver: Any, url: str) -> None:
    """Raises OrderError."""
    found = re.fullmatch(r"[^\s/]+:(\d{1,5})", resolver) if isinstance(resolver, str) else None
    if found is None or not 0 < int(found[1]) < 65536:
        raise OrderError(f"resolver {resolver!r} is not HOST:PORT")
    try:
        host = urlsplit(url).port is not None or urlsplit(url).hostname
    except ValueError as error:
        raise OrderError(f"url {url!r} has no host to look up: {error}") from error
    if not host:
        raise OrderError(f"url {url!r} has no host to look up")
