"""What an answer to an unsafe request makes invalid (RFC 9111, section 4.4; RFC 9875).

It removes nothing; the store does. Groups are names within one origin, so the caller passes on the origin too.
"""

from __future__ import annotations

from nodes.edge.caching.uris import resolve, same_origin
from nodes.http.message import SAFE_METHODS, Fields
from nodes.http.structured import Malformed, Token, parse_list


def targets(method: str, uri: str, status: int, fields: Fields) -> list[str]:
    """URIs, as effective request URIs, of which every stored response is invalid now; of the target's origin only.

    The target itself, Location and Content-Location; nothing after a safe method or an error status.
    """
    if method in SAFE_METHODS or not 200 <= status < 400:
        return []
    found: list[str | None] = [uri]
    found += [resolve(uri, value) for name in ("location", "content-location") for value in fields.all(name)]
    return list(dict.fromkeys(target for target in found if target is not None and same_origin(uri, target)))


def groups(method: str, fields: Fields) -> tuple[str, ...]:
    """The groups, of the target's origin, that Cache-Group-Invalidation names; none after a safe method (RFC 9875, 3).

    The status does not matter there: the origin asks for it in so many words.
    """
    return () if method in SAFE_METHODS else _strings(fields, "cache-group-invalidation")


def member_of(fields: Fields) -> tuple[str, ...]:
    """The groups, within its origin, to which a response belongs (RFC 9875, section 2)."""
    return _strings(fields, "cache-groups")


def _strings(fields: Fields, name: str) -> tuple[str, ...]:
    """A list of strings; a malformed field is passed over as a whole (RFC 9651, section 4.2), as is any other type in it."""
    if name not in fields:
        return ()
    try:
        members = parse_list(fields.get(name) or "")
    except Malformed:
        return ()
    if not all(isinstance(value, str) and not isinstance(value, Token) for value, _ in members):
        return ()
    return tuple(dict.fromkeys(str(value) for value, _ in members))
