"""A fetch by a ranked list: ask steering, then go down its URLs until one serves, and say what was missed and why.

It does not measure (`fetch.py` does) and never tries an URL twice. Bytes that the site of rank 0 did not serve are labelled:
`content`, the file was not there, or `health`, the site was full, down or broke off.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol
from urllib.parse import urlsplit

from nodes.client.order import Order
from nodes.client.result import Result

CONTENT, HEALTH = "content", "health"
STEERED = "X-Longhaul-Steered"
"""Tells an edge by which rank it was chosen and what was missed before, for its log and its metrics (RFC 8941 parameters)."""
LARGEST_LIST_BYTES = 1024 * 1024

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9._-]*", re.ASCII)


class ListError(ValueError):
    """An answer of steering that is no ranked list."""


class Fetches(Protocol):
    """What `Fetcher` does; `held` takes the body."""

    def fetch(self, order: Order, held: list[bytes] | None = None) -> Result: ...


@dataclass(frozen=True)
class Ranked:
    """One URL of a list."""

    url: str
    rank: int
    site: str


def parse(body: bytes) -> tuple[list[Ranked], str]:
    """The URLs of steering's answer, best first, and its label when rank 0 is not among them. Raises ListError."""
    try:
        answer = json.loads(body[:LARGEST_LIST_BYTES])
        urls = [Ranked(str(one["url"]), int(one["rank"]), str(one.get("site", ""))) for one in answer["urls"]]
        miss = answer.get("miss", "")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ListError(f"steering's answer is no ranked list: {error!r}") from error
    if not urls:
        raise ListError(f"steering names no URL: {answer.get('error', 'it does not say why')}")
    if wrong := [one.url for one in urls if urlsplit(one.url).scheme not in ("http", "https")]:
        raise ListError(f"steering names {wrong[0]!r}, which begins with neither http:// nor https://")
    return urls, miss if miss in (CONTENT, HEALTH) else ""


def steered(one: Ranked, miss: str) -> str:
    """The value of STEERED: `1;miss=content;site=singapore`."""
    said = [f"{name}={word}" for name, word in (("miss", miss), ("site", one.site)) if _WORD.fullmatch(word)]
    return ";".join([str(one.rank), *said])


def label(status: int | None) -> str:
    """Why an edge that was tried did not serve: it answered that it has no such file, or it did not serve well."""
    return CONTENT if status in (404, 410) else HEALTH


def fetch(fetcher: Fetches, order: Order) -> Result:
    """Carry out an order whose URL is steering's. The result is that of the URL that served, or of the last one tried;
    its `ranked` tells of the list. `timeout_s` holds for steering and for each try by itself."""
    began_s = time.monotonic()
    held: list[bytes] = []
    listed = fetcher.fetch(replace(order, method="GET", expect_sha256=None), held)
    try:
        if not listed.ok:
            raise ListError(f"steering gave no list: {listed.error}")
        urls, miss = parse(b"".join(held))
    except ListError as error:
        listed.ok, listed.error = False, str(error)
        return listed
    answer = json.loads(b"".join(held))
    tries: list[dict[str, Any]] = []
    for one in urls:
        miss_so_far = why_missed(one.rank, miss, tries)
        result = fetcher.fetch(replace(order, url=one.url, headers={**order.headers, STEERED: steered(one, miss_so_far)}))
        tries.append({"url": one.url, "rank": one.rank, "site": one.site, "error": result.error,
                      "status": result.http_status, "local_port": result.local_port, "total_ms": result.total_ms,
                      "miss": "" if result.ok else label(result.http_status)})  # fmt: skip
        if result.ok:
            break
    served = urls[len(tries) - 1]
    result.ranked = {
        "rank": served.rank, "site": served.site, "miss": why_missed(served.rank, miss, tries), "tries": tries,
        "list_ms": listed.total_ms, "list_port": listed.local_port, "list_url": order.url, "listed": answer,
        "spent_ms": round((time.monotonic() - began_s) * 1e3, 3),
    }  # fmt: skip
    return result


def why_missed(rank: int, miss: str, tries: Sequence[dict[str, Any]]) -> str:
    """The label of what came from a site of this rank: steering's word when it left rank 0 out, else that of the first try,
    which was there. A file that another edge of the site of rank 0 served was not missed."""
    if rank == 0:
        return ""
    return miss or (str(tries[0]["miss"]) if tries else "")


class Shed:
    """How much of what clients got came from elsewhere than the site of rank 0. Failed fetches do not count."""

    def __init__(self) -> None:
        self.bytes = 0
        self.shed_bytes = {CONTENT: 0, HEALTH: 0}

    def add(self, result: Result) -> None:
        """One fetch by a ranked list."""
        if result.ok and result.ranked is not None:
            self.bytes += result.size_bytes
            if result.ranked["miss"]:
                self.shed_bytes[result.ranked["miss"]] += result.size_bytes

    def as_dict(self) -> dict[str, float | int | None]:
        """`content_shed_ratio` and `health_shed_ratio` are fractions of all bytes; None when there were none."""
        ratios = {f"{name}_shed_ratio": shed / self.bytes if self.bytes else None for name, shed in self.shed_bytes.items()}
        return {"bytes": self.bytes, **{f"{name}_shed_bytes": shed for name, shed in self.shed_bytes.items()}, **ratios}
