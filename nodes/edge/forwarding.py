"""The fields an edge changes on the way: Via, CDN-Loop, Cache-Status, Age, and those that belong to one connection.

It changes nothing else: a field it does not know passes as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from nodes.http.conditionals import CONDITIONAL_FIELDS
from nodes.http.message import Fields, Request, end_to_end


def loops(request: Request, name: str) -> bool:
    """Whether this edge has seen the request before: RFC 8586, section 2."""
    members = (part.split(";")[0].strip().lower() for part in (request.fields.get("cdn-loop") or "").split(","))
    return name.lower() in members


def to_origin(request: Request, name: str, host: str, *, for_store: bool) -> Fields:
    """The request's fields as the origin sees them; `for_store` asks for the whole object without conditions."""
    fields = end_to_end(request.fields)
    fields.drop("host", "expect", "content-length")
    if for_store:
        fields.drop("range", *CONDITIONAL_FIELDS)
    sent = Fields([("Host", host), *fields.items])
    sent.add("Via", f"{request.version} {name}")
    sent.add("CDN-Loop", name)
    if request.has_body:
        if request.content_length is not None:
            sent.add("Content-Length", str(request.content_length))
        else:
            sent.add("Transfer-Encoding", "chunked")
    elif request.content_length == 0 and request.method not in ("GET", "HEAD"):
        sent.add("Content-Length", "0")
    return sent


def to_client(response: Fields, name: str, status: CacheStatus, age_s: float | None) -> Fields:
    """The response's fields as the client sees them. Cache-Status members stand nearest the origin first."""
    fields = end_to_end(response)
    if age_s is not None:
        fields.put("Age", str(int(age_s)))
    fields.add("Via", f"1.1 {name}")
    fields.add("Cache-Status", status.text(name))
    return fields


@dataclass
class CacheStatus:
    """One member of Cache-Status (RFC 9211). `fwd` is why the request went on: `uri-miss`, `stale`, `bypass`, ..."""

    hit: bool = False
    fwd: str | None = None
    fwd_status: int | None = None
    ttl_s: float | None = None
    stored: bool = False
    collapsed: bool = False
    detail: str | None = None

    def text(self, name: str) -> str:
        """As it stands in the field."""
        parts = [name]
        if self.hit:
            parts.append("hit")
        if self.fwd is not None:
            parts.append(f"fwd={self.fwd}")
        if self.fwd_status is not None:
            parts.append(f"fwd-status={self.fwd_status}")
        if self.ttl_s is not None:
            parts.append(f"ttl={int(self.ttl_s)}")
        if self.stored:
            parts.append("stored")
        if self.collapsed:
            parts.append("collapsed")
        if self.detail is not None:
            parts.append(f"detail={_item(self.detail)}")
        return "; ".join(parts)


def _item(text: str) -> str:
    """A token where it can be one, else a string in quotes (RFC 8941, section 3.3.3)."""
    if re.fullmatch(r"[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*", text):
        return text
    printable = "".join(char if " " <= char <= "~" else "?" for char in text)
    return '"' + printable.replace("\\", "\\\\").replace('"', '\\"') + '"'
