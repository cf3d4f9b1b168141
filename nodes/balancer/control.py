"""The balancer's own paths, under `/-/`: who may be chosen, changed as a whole or in part while it runs.

    GET   /-/members     zones and nodes as they are, with an ETag
    PUT   /-/members     others instead, as a whole (JSON)
    PATCH /-/members     a change merged into them (RFC 7396), such as {"nodes": {"edge1": {"drain": true}}}
    GET   /-/status      health, requests under way and the last check of each node

Members are checked whole and replaced at once; what is wrong is answered with 400, and the old ones hold. With If-Match a
change is made only to what its sender has seen. Who can reach the balancer can reach these.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from nodes.balancer.members import Members, MembersError, from_json, json_data, merged
from nodes.http import etags
from nodes.http.message import Fields, HttpError, Request
from nodes.http.own_paths import demand
from nodes.http.reply import Reply

if TYPE_CHECKING:
    from nodes.balancer.app import Balancer

ALLOWED = {"/-/members": "GET, HEAD, PUT, PATCH", "/-/status": "GET, HEAD"}
MOST_BYTES = 4 * 1024 * 1024


async def handle(balancer: Balancer, request: Request, reply: Reply) -> None:
    """Answer a control request with JSON. Raises HttpError."""
    demand(request, ALLOWED)
    if request.path == "/-/status":
        await _json(reply, balancer.status(), [])
        return
    if request.method in ("PUT", "PATCH"):
        text = await _content(request)
        # from here to `use` nothing is awaited: two changes at once are one after the other
        wanted = request.fields.get("if-match")
        now = etag(balancer.members)
        if wanted is not None and not any(one == "*" or etags.strongly_equal(one, now) for one in etags.members(wanted)):
            raise HttpError(412, "the members are others than those that If-Match names; get them again")
        try:
            new = from_json(text) if request.method == "PUT" else merged(balancer.members, json_data(text))
        except MembersError as error:
            raise HttpError(400, f"{error}; the old members hold") from error
        await balancer.use(new)
    await _json(reply, balancer.members.data(), [("ETag", etag(balancer.members))])


def etag(members: Members) -> str:
    """The same for equal members."""
    return f'"{hashlib.sha256(json.dumps(members.data()).encode()).hexdigest()[:32]}"'


async def _content(request: Request) -> str:
    if request.body is None:
        raise HttpError(400, "there is no content; send JSON")
    found = bytearray()
    async for data in request.body:
        found += data
        if len(found) > MOST_BYTES:
            raise HttpError(413, f"more than {MOST_BYTES} bytes of members", close=True)
    try:
        return found.decode()
    except UnicodeDecodeError as error:
        raise HttpError(400, "the content is not UTF-8; the old members hold") from error


async def _json(reply: Reply, data: object, fields: list[tuple[str, str]]) -> None:
    kept = Fields([("Content-Type", "application/json"), ("Cache-Control", "no-store"), *fields])
    await reply.full(200, kept, json.dumps(data).encode() + b"\n")
