"""Orders to a worker of bulk flows: JSON objects checked field by field. It opens no socket.

An unknown field is an error: an order that is half understood would measure something else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LONGEST_S = 3600.0
MOST_FLOWS = 256
LEAST_SAMPLE_MS = 5.0


class OrderError(ValueError):
    """An order that cannot be carried out as written; the message names the field and what is allowed."""


@dataclass(frozen=True)
class Sink:
    """Where to take flows and throw them away. Port 0 lets the kernel choose.

    `window_bytes` is the most that is ever advertised (TCP_WINDOW_CLAMP), `receive_buffer_bytes` SO_RCVBUF; None: the kernel's.
    """

    host: str
    port: int = 0
    window_bytes: int | None = None
    receive_buffer_bytes: int | None = None


@dataclass(frozen=True)
class Flow:
    """One connection that always has something to send, for `seconds` or until `size_bytes` have been taken by the other end.

    `start_s` counts from the order's beginning, as the end does: a flow lives from `start_s` to `start_s + seconds`.
    `pace_bps` is the most that the kernel sends (SO_MAX_PACING_RATE), `send_buffer_bytes` SO_SNDBUF; None: the kernel's.
    """

    host: str
    port: int
    name: str = ""
    start_s: float = 0.0
    seconds: float | None = None
    size_bytes: int | None = None
    congestion_control: str | None = None
    pace_bps: int | None = None
    send_buffer_bytes: int | None = None
    nagle: bool = False
    """Whether Nagle's algorithm may hold back the last segment (RFC 896); else TCP_NODELAY."""


@dataclass(frozen=True)
class Sending:
    """Flows that run together. Their time begins at `begin_ns` (CLOCK_MONOTONIC; 0: at once), and `sample_ms` apart each
    of them is looked at."""

    flows: tuple[Flow, ...]
    begin_ns: int = 0
    sample_ms: float = 100.0


def parse(line: str) -> Sink | Sending:
    """An order from one line of JSON: {"sink": {...}} or {"flows": [{...}], ...}. Raises OrderError."""
    try:
        given = json.loads(line)
    except json.JSONDecodeError as error:
        raise OrderError(f"the order is not JSON: {error}") from error
    if not isinstance(given, dict) or ("sink" in given) == ("flows" in given):
        raise OrderError("the order is to have either sink or flows")
    if "sink" in given:
        sink: Sink = _made(Sink, given["sink"])
        _numbers(sink, window_bytes=1, receive_buffer_bytes=1)
        return sink
    if not isinstance(given["flows"], list) or not 1 <= len(given["flows"]) <= MOST_FLOWS:
        raise OrderError(f"flows is to be a list of 1 to {MOST_FLOWS}")
    flows = tuple(_flow(_made(Flow, one)) for one in given["flows"])
    order: Sending = _made(Sending, {**given, "flows": flows})
    _numbers(order, begin_ns=0, sample_ms=LEAST_SAMPLE_MS)
    return order


def _flow(flow: Flow) -> Flow:
    if (flow.seconds is None) == (flow.size_bytes is None):
        raise OrderError("a flow is to have either seconds or size_bytes")
    _numbers(flow, start_s=0, seconds=0.01, size_bytes=1, pace_bps=1, send_buffer_bytes=1)
    if flow.start_s + (flow.seconds or 0) > LONGEST_S:
        raise OrderError(f"a flow is to be over within {LONGEST_S:g} s")
    return flow


def _made(kind: Any, given: Any) -> Any:
    if not isinstance(given, Mapping):
        raise OrderError(f"{given!r} is not an object")
    fields = kind.__dataclass_fields__
    if unknown := sorted(set(given) - set(fields)):
        raise OrderError(f"unknown field {unknown[0]!r}; allowed are {', '.join(fields)}")
    try:
        made = kind(**given)
    except TypeError as error:
        raise OrderError(str(error).partition("__init__() ")[2]) from None
    for name in ("host", "name", "congestion_control"):
        if not isinstance(getattr(made, name, ""), str | None):
            raise OrderError(f"{name} {getattr(made, name)!r} is no text")
    if not 0 <= getattr(made, "port", 0) <= 65535:
        raise OrderError(f"port {made.port!r} is not from 0 to 65535")
    return made


def _numbers(made: Any, **least: float) -> None:
    for name, lowest in least.items():
        value = getattr(made, name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value < lowest):
            raise OrderError(f"{name} {value!r} is not a number of at least {lowest:g}")
