"""One member of Cache-Status (RFC 9211): what this cache did with a request, in words others can read.

It decides nothing: whoever handles the request fills it in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(r"[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*")


@dataclass(slots=True)
class CacheStatus:
    """`fwd` is why the request went on (section 2.2): `uri-miss`, `vary-miss`, `stale`, `request`, `bypass`, ...

    `ttl_s` may be below zero: the response was stale when it was sent.
    """

    hit: bool = False
    fwd: str | None = None
    fwd_status: int | None = None
    ttl_s: float | None = None
    stored: bool = False
    collapsed: bool = False
    key: str | None = None
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
        if self.key is not None:
            parts.append(f"key={string(self.key)}")
        if self.detail is not None:
            parts.append(f"detail={_item(self.detail)}")
        return "; ".join(parts)


def string(text: str) -> str:
    """An sf-string (RFC 8941, section 3.3.3); what it cannot hold is replaced."""
    if not (text.isascii() and text.isprintable()):
        text = "".join(char if " " <= char <= "~" else "?" for char in text)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _item(text: str) -> str:
    return text if _TOKEN.fullmatch(text) else string(text)
