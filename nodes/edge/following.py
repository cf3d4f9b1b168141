"""Answers from a fetch that runs: to whoever started it and to whoever joined, each at its own place in the content.

It starts no fetch and stores nothing.
"""

from __future__ import annotations

from dataclasses import replace

from nodes.edge.answering import shaped
from nodes.edge.arrival import Kind
from nodes.edge.cache_status import CacheStatus
from nodes.edge.caching.age import initial_age_s
from nodes.edge.caching.answering import answer
from nodes.edge.caching.partial import gaps
from nodes.edge.caching.storing import shareable
from nodes.edge.fetch import Fetch
from nodes.edge.forwarding import to_client
from nodes.edge.plan import wanted_part
from nodes.edge.routing.rules import Route, values
from nodes.edge.serving import Held, copy
from nodes.edge.stored import Part
from nodes.edge.transfer import Reader
from nodes.http.conditionals import Selected
from nodes.http.message import Fields, Request
from nodes.http.reply import Reply
from nodes.http.trailers import passable

HEAD_ALONE_S = 0.02
"""How long a head waits for the first content, so that both leave together."""

NEAR_BYTES = 1024 * 1024
"""A range that begins so little ahead of what has come is waited for rather than asked for."""


def soon(request: Request, fetch: Fetch) -> bool:
    """Whether a fetch of the whole has, or is about to have, the first byte that a request with a range is for."""
    if "range" not in request.fields:
        return True
    draft = fetch.arrival.draft
    if fetch.arrival.kind is not Kind.WHOLE or draft is None or draft.size_bytes is None:
        return False
    selected = answer(request, replace(draft, parts=(Part(0, draft.size_bytes, b""),)))
    return selected is not None and selected.start <= fetch.transfer.available_bytes + NEAR_BYTES


def fills(request: Request, fetch: Fetch) -> bool:
    """Whether a part that came belongs to what is kept and brings all that lacks; an origin may send less than was asked."""
    draft, joins = fetch.arrival.draft, fetch.arrival.joins
    wanted = wanted_part(request, joins) if joins is not None else None
    if draft is None or joins is None or wanted is None:
        return False
    part = draft.parts[0]
    return all(
        part.start <= start and start + length <= part.start + part.length
        for start, length in gaps(joins.parts, wanted.start, wanted.length)
    )  # fmt: skip


def fields_of(
    name: str, request: Request, route: Route, fetch: Fetch, status: CacheStatus, *, joined: bool = False
) -> Fields:  # fmt: skip
    """The fields of the origin's response as the client sees them: not all of them, where it `joined` who asked."""
    made = fetch.exchange
    assert made is not None
    response, age_s = made.response, None
    if "age" in response.fields and fetch.shared:
        age_s = initial_age_s(response.fields, made.requested_s, made.received_s)
    kept = response.fields
    if fetch.arrival.joins is not None and fetch.arrival.draft is not None:
        kept = fetch.arrival.draft.headers  # of both parts: RFC 9111, section 3.4
    if joined:
        kept = shareable(kept)
    fields = to_client(kept, name, status, age_s, response.version)
    fields.add("Server-Timing", f"origin;dur={made.upstream_ms:g}")
    route.response.apply(fields, values(request))
    return fields


async def follow(request: Request, reply: Reply, fetch: Fetch, reader: Reader, fields: Fields) -> None:
    """The origin's response while it comes. Raises UpstreamError when it is cut, ConnectionError when the client is."""
    response, draft, size_bytes = fetch.response, fetch.arrival.draft, fetch.response.length_bytes
    await reader.ready(HEAD_ALONE_S)
    if fetch.arrival.kind is not Kind.WHOLE or draft is None or size_bytes is None:
        reply.start(response.status, fields, size_bytes, reason=response.reason)
        if request.method != "HEAD":
            await _pour(reply, reader, fetch, None)
        takes = "trailers" in request.fields.tokens("te")  # RFC 9110, section 10.1.4
        await reply.end(passable(response.trailers) if takes else None)
        return
    # As from the store: the client's preconditions and range are answered from the whole that comes.
    selected = answer(request, replace(draft, parts=(Part(0, size_bytes, b""),)))
    if selected is None or len(selected.parts) > 1:
        selected = Selected(0, ((0, size_bytes),))  # several ranges are sent only from what is stored
    made = shaped(selected, response.status, fields, size_bytes, "")
    reply.start(made.status, fields, made.length_bytes, reason=response.reason if made.status == response.status else None)
    if made.status in (304, 416):
        fetch.keep = fetch.stores  # this client has it already; the cache has not
    for piece in made.pieces:
        assert not isinstance(piece, bytes)
        reader.skip_to(piece[0])
        await _pour(reply, reader, fetch, piece[1])
    await reply.end()


async def complete(
    request: Request, reply: Reply, fetch: Fetch, reader: Reader, fields: Fields, held: Held
) -> None:  # fmt: skip
    """What is kept and what the fetch brings as one answer. Raises as `follow`."""
    draft, wanted = fetch.arrival.draft, wanted_part(request, held.opened.stored)
    assert draft is not None
    assert wanted is not None
    start, end = wanted.start, wanted.start + wanted.length
    part = draft.parts[0]
    made = shaped(wanted, 200, fields, draft.size_bytes, "")
    reply.start(made.status, fields, made.length_bytes)
    first, last = max(start, part.start), min(end, part.start + part.length)
    if start < first:
        await copy(held, reply, start, first - start)
    reader.skip_to(first - part.start)
    await _pour(reply, reader, fetch, last - first)
    if last < end:
        await copy(held, reply, last, end - last)
    await reply.end()


async def _pour(reply: Reply, reader: Reader, fetch: Fetch, count: int | None) -> None:
    """So many bytes of the content, or all."""
    if fetch.transfer.available_bytes <= reader.offset and count != 0:
        await reply.flush()
    while count is None or count > 0:
        data = await reader.next()
        if not data:
            return
        if count is not None:
            data = data[:count]
            count -= len(data)
        await reply.write(data)
