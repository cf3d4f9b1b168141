"""A page loaded with libcurl's multi interface: at most so many connections to a host, all new, kept while the page loads.

It does not retry. HTTP/1.1 carries one request at a time on a connection; HTTP/2 and 3 carry all on one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pycurl

from nodes.client.fetch import Hash, configure, judge, last_fields, read
from nodes.client.order import Order
from nodes.client.result import Result
from nodes.client.secure import Handshake, secure
from nodes.page.plan import Item, Plan

LOOK_EVERY_S = 1.0


@dataclass
class Load:
    """A page load. `page_load_ms` is from its start to the last byte of its last object; `connections` were made for it.

    Each of `objects` is a fetch's result with `name`, and with `asked_ms` and `done_ms` since the start of the load: between
    `asked_ms` and the fetch's own times it also waited for a free connection.
    """

    started_ns: int = 0
    ok: bool = False
    error: str | None = None
    page_load_ms: float | None = None
    connections: int = 0
    size_bytes: int = 0
    objects: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For one JSON line."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass
class _Asked:
    """One object under way."""

    item: Item
    order: Order
    result: Result
    asked_ms: float
    body: Hash = field(default_factory=Hash)
    fields: list[bytes] = field(default_factory=list)
    handshake: Handshake = field(default_factory=Handshake)


def load(items: Sequence[Item], connections: int, http_version: str, timeout_s: float, **trust: Any) -> Load:
    """Load a page once. `trust` are fields of `Order` for https. A failed object ends the load: it is `error`."""
    multi = pycurl.CurlMulti()
    multi.setopt(pycurl.M_MAX_HOST_CONNECTIONS, connections)
    multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_MULTIPLEX if http_version in ("2", "2-prior-knowledge", "3") else 0)
    plan, found = Plan(items), Load(started_ns=time.time_ns())
    began = time.monotonic()
    under_way: dict[pycurl.Curl, _Asked] = {}
    try:
        while not plan.complete and found.error is None:
            for item in plan.due():
                order = Order(item.url, "reuse", expect_sha256=item.sha256, timeout_s=timeout_s, http_version=http_version,
                              **trust)  # fmt: skip
                handle, asked = pycurl.Curl(), _Asked(item, order, Result(item.url, started_ns=time.time_ns()), _since(began))
                _prepare(handle, asked)
                under_way[handle] = asked
                multi.add_handle(handle)
            _wait(multi, began, timeout_s)
            for handle, error in _finished(multi):
                asked = under_way.pop(handle)
                multi.remove_handle(handle)
                _close(handle, asked, error, found, _since(began))
                plan.arrived(asked.item.name)
            if _since(began) > timeout_s * 1e3 and not plan.complete:
                found.error = found.error or f"the page was not whole after {timeout_s:g} s"
    finally:
        for handle in under_way:
            multi.remove_handle(handle)
            handle.close()
        multi.close()
    found.ok = found.error is None
    found.page_load_ms = max(one["done_ms"] for one in found.objects) if found.ok else None
    return found


def _since(began: float) -> float:
    return round((time.monotonic() - began) * 1e3, 3)


def _prepare(handle: pycurl.Curl, asked: _Asked) -> None:
    configure(handle, asked.order)
    if asked.order.url.startswith("https:"):
        secure(handle, asked.order, asked.handshake)
    handle.setopt(pycurl.PIPEWAIT, 1)  # HTTP/2: rather wait for the connection that is being made than make another
    handle.setopt(pycurl.WRITEFUNCTION, asked.body.feed)
    handle.setopt(pycurl.HEADERFUNCTION, asked.fields.append)


def _wait(multi: pycurl.CurlMulti, began: float, timeout_s: float) -> None:
    """Until libcurl has done something, or the time is over."""
    while multi.perform()[0] == pycurl.E_CALL_MULTI_PERFORM:
        continue
    left_s = timeout_s - (time.monotonic() - began)
    due_ms = multi.timeout()  # until libcurl has something of its own to do; -1: nothing
    wait_s = max(0.0, min(LOOK_EVERY_S, left_s, *([due_ms / 1e3] if due_ms >= 0 else [])))
    if multi.select(wait_s) == -1:  # it has no socket yet to wait for
        time.sleep(min(wait_s, 0.001))
    while multi.perform()[0] == pycurl.E_CALL_MULTI_PERFORM:
        continue


def _finished(multi: pycurl.CurlMulti) -> list[tuple[pycurl.Curl, str | None]]:
    found: list[tuple[pycurl.Curl, str | None]] = []
    while True:
        waiting, fine, failed = multi.info_read()
        found += [(handle, None) for handle in fine]
        found += [(handle, f"{words} (curl {number})") for handle, number, words in failed]
        if not waiting:
            return found


def _close(handle: pycurl.Curl, asked: _Asked, error: str | None, found: Load, done_ms: float) -> None:
    """Take what libcurl knows of a fetch that is over."""
    result = asked.result
    result.ok, result.error = error is None, error
    read(handle, result)
    found.connections += int(handle.getinfo(pycurl.NUM_CONNECTS))
    result.headers, result.size_bytes = last_fields(asked.fields), asked.body.size_bytes
    if result.http_status:
        judge(result, asked.order, asked.body)
    handle.close()
    found.size_bytes += result.size_bytes
    found.objects.append({"name": asked.item.name, "asked_ms": asked.asked_ms, "done_ms": done_ms, **result.as_dict()})
    if not result.ok:
        found.error = f"{asked.item.name}: {result.error}"
