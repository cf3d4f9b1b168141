"""Heads of plain exchanges: what a node is sent for a request, and what a client gets of the answer, each made once.

Pure. It makes what `forwarding.py` says, and knows only requests without content and answers that say their length.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from nodes.balancer.balance import Placed
from nodes.balancer.forwarding import to_client, to_node, utilisation
from nodes.http.field_block import Malformed
from nodes.http.hops import loops
from nodes.http.message import Request, request_bytes
from nodes.http.reply import answer_head
from nodes.http.response import Framing, parse_head

_TIME = "\0"
"""Where the node's time will stand: no field can have this character."""


@dataclass(frozen=True, slots=True)
class Asked:
    """`head` goes to the node, `key` to the node rule; `log` are members of the log's record, without braces."""

    key: str
    head: bytes
    log: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The client's head is `before`, the node's milliseconds, `after`; then follow `body_bytes` of content."""

    status: int
    before: bytes
    after: bytes
    body_bytes: int
    utilisation: float | None
    node_keeps: bool
    keep: bool
    dated: bool
    """Whether the node gave the date. Otherwise it is ours, and the head is right for this second only."""
    log: str

    def head(self, upstream_ms: float) -> bytes:
        """As the client gets it."""
        return b"%b%g%b" % (self.before, upstream_ms, self.after)


def asked(request: Request, name: str) -> Asked | None:
    """For a GET or HEAD without content; None when it has been here before, which is to be refused."""
    if loops(request, name):
        return None
    key = origin_form(request)
    log = json.dumps({"method": request.method, "target": request.target})[1:-1]
    return Asked(key, request_bytes(request.method, key, to_node(request, name)), log)


def answered(head: bytes, request: Request, name: str, placed: Placed, *, keep: bool) -> Answered | None:
    """Of a node's head without its empty line; None unless it is a final one whose content ends by its length.
    `keep`: whether the client's connection may be kept."""
    try:
        response = parse_head(head, request.method)
    except Malformed:
        return None
    if response.status < 200 or response.framing not in (Framing.NONE, Framing.LENGTH):
        return None
    fields = to_client(response.fields, response.version, name, placed, 1, _TIME)
    block, (keep, _) = answer_head(request, response.status, fields, response.length_bytes, response.reason, keep=keep)
    before, _, after = block.partition(_TIME.encode())
    body_bytes = (response.length_bytes or 0) if response.framing is Framing.LENGTH else 0
    log = json.dumps({"status": response.status, "bytes": body_bytes, "result": "PROXY", "cache_status": "-",
                      **choice(placed, 1), "finished": True})[1:-1]  # fmt: skip
    return Answered(response.status, before, after, body_bytes, utilisation(response.fields), response.keep, keep,
                    "date" in response.fields, log)  # fmt: skip


def choice(placed: Placed, tries: int) -> dict[str, str | int]:
    """What the access log says of a choice."""
    return {"zone": placed.node.zone, "chosen_node": placed.node.name, "reason": placed.reason, "tries": tries}


def origin_form(request: Request) -> str:
    """The target as an origin server wants it: RFC 9112, section 3.2.1."""
    if request.target.startswith(("/", "*")):
        return request.target
    return request.path + (f"?{request.query}" if "?" in request.target else "")
