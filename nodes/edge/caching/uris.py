"""URIs that fields such as Location refer to, as the same text that a request for them would have (RFC 9110, section 4.2.3).

It fetches nothing and knows nothing of routing. The form itself is the wire's: `nodes/http/target.py`.
"""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

from nodes.http.target import effective_uri, parse_target

_NOT_VISIBLE = re.compile(r"[^\x21-\x7e]")


def normalised(uri: str) -> str | None:
    """An absolute http or https URI, without its fragment, as the effective URI of a request for it; None for another."""
    text = uri.partition("#")[0]
    target = parse_target("GET", text)
    if target is None or target.scheme is None or target.authority is None:
        return None
    return effective_uri(target.scheme, target.authority, text, target.path, target.query)


def resolve(base: str, reference: str) -> str | None:
    """The URI that a reference means at `base` (RFC 3986, section 5.2), in that form; None when it is none of http.

    Octets that no URI may hold are taken as encoded, as clients take them (the text is Latin-1, as fields are read).
    """
    text = _NOT_VISIBLE.sub(
        lambda found: "".join(f"%{octet:02X}" for octet in found[0].encode("latin-1", "replace")), reference.strip()
    )
    try:
        joined = urljoin(base, text)
        whole = urlsplit(joined)
    except ValueError:
        return None
    if "/." in whole.path:  # urljoin leaves those of an absolute reference
        joined = whole._replace(path=_without_dots(whole.path)).geturl()
    return normalised(joined)


def origin_of(uri: str) -> tuple[str, str] | None:
    """Scheme and authority (RFC 9110, section 4.3.1) of an http URI, for comparing origins; None for another."""
    whole = normalised(uri)
    if whole is None:
        return None
    scheme, _, rest = whole.partition("://")
    return scheme, re.split("[/?]", rest, maxsplit=1)[0]


def same_origin(one: str, other: str) -> bool:
    """Whether both are http URIs of the same scheme, host and port."""
    origin = origin_of(one)
    return origin is not None and origin == origin_of(other)


def _without_dots(path: str) -> str:
    """RFC 3986, section 5.2.4."""
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments[1:]:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    return "/".join(["", *kept, *([""] if segments[-1] in (".", "..") else [])])
