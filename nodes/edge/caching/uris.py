"""URIs as far as a cache compares them (RFC 9110, section 4.2.3): resolved, and with what may differ made the same.

It fetches nothing and knows nothing of routing.
"""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit, urlunsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def normalised(uri: str) -> str | None:
    """An http or https URI in normal form, without fragment and user; None for what is not one."""
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return None
    host = (parts.hostname or "").lower()
    if parts.scheme not in _DEFAULT_PORTS or not host:
        return None
    netloc = f"[{host}]" if ":" in host else host
    if port is not None and port != _DEFAULT_PORTS[parts.scheme]:
        netloc += f":{port}"
    return urlunsplit((parts.scheme, netloc, _escapes(parts.path) or "/", _escapes(parts.query), ""))


def resolve(base: str, reference: str) -> str | None:
    """The URI that a reference (as in Location) means at `base`, in normal form; None when that is none of http."""
    try:
        return normalised(urljoin(base, reference.strip()))
    except ValueError:
        return None


def origin_of(uri: str) -> tuple[str, str] | None:
    """Scheme and authority (RFC 9110, section 4.3.1) of an http URI, for comparing origins."""
    whole = normalised(uri)
    if whole is None:
        return None
    parts = urlsplit(whole)
    return parts.scheme, parts.netloc


def same_origin(one: str, other: str) -> bool:
    """Whether both are http URIs of the same scheme, host and port."""
    origin = origin_of(one)
    return origin is not None and origin == origin_of(other)


def _escapes(text: str) -> str:
    """Escapes of characters that need none are undone, the others in capitals (RFC 3986, section 6.2.2)."""

    def one(found: re.Match[str]) -> str:
        char = chr(int(found[1], 16))
        return char if char in _UNRESERVED else found[0].upper()

    return _ESCAPE.sub(one, text)
