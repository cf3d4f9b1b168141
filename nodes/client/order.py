"""A fetch as it is ordered: a JSON object checked field by field.

It does not fetch. An unknown field is an error: an order that is half understood would measure something else.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

HTTP_VERSIONS = ("1.0", "1.1", "2", "2-prior-knowledge", "3")


class OrderError(ValueError):
    """An order that cannot be carried out as written; the message names the field and what is allowed."""


@dataclass(frozen=True)
class Order:
    """`connection` is `new` (closed afterwards), `keep` (new, all kept ones closed before, then kept) or `reuse` (the
    kept one if there is one, and kept); `resolve` maps `host:port` to an address."""

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
    return order


def _check(order: Order) -> None:
    if not re.match(r"https?://", order.url):
        raise OrderError(f"url {order.url!r} begins with neither http:// nor https://")
    if order.connection not in ("new", "keep", "reuse"):
        raise OrderError(f"connection {order.connection!r} is none of new, keep, reuse")
    if order.method not in ("GET", "HEAD"):
        raise OrderError(f"method {order.method!r} is neither GET nor HEAD")
    if order.http_version not in HTTP_VERSIONS:
        raise OrderError(f"http_version {order.http_version!r} is not one of {', '.join(HTTP_VERSIONS)}")
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
    if order.congestion_control is not None and not isinstance(order.congestion_control, str):
        raise OrderError(f"congestion_control {order.congestion_control!r} is not a name")
