"""Request targets (RFC 9112, section 3.2): their four forms, and the URI that a request is for.

It neither decodes percent-encoding beyond what equality of URIs needs, nor removes dot segments: an origin may tell
`/a/../b` from `/b`.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

# Visible ASCII without what no URI may hold and clients never send: a fragment, quotes, angle brackets, a backslash.
# The brackets, braces, `|`, `^` and "`" that browsers leave as they are pass (RFC 9112, section 3.2, forbids mending).
_OCTETS = r"[!$-;=?-\[\]-~]*"
_ORIGIN = re.compile(f"/{_OCTETS}", re.ASCII)
_ABSOLUTE = re.compile(f"(https?)://([^/?]*)({_OCTETS})", re.ASCII | re.IGNORECASE)
_BAD_ENCODING = re.compile(r"%(?![0-9A-Fa-f]{2})", re.ASCII)
_AUTHORITY = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)(?::(?P<port>[0-9]{0,5}))?", re.ASCII
)
_ENCODED = re.compile(r"%([0-9A-Fa-f]{2})", re.ASCII)
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


class Target(NamedTuple):
    """A target's parts. `scheme` and `authority` are None unless the target itself names them."""

    path: str
    query: str
    scheme: str | None
    authority: str | None


def parse_target(method: str, target: str) -> Target | None:
    """The parts of a target, or None when it has none of the forms that its method may use."""
    if "%" in target and _BAD_ENCODING.search(target):
        return None
    if _ORIGIN.fullmatch(target):
        path, _, query = target.partition("?")
        return Target(path, query, None, None)
    if target == "*":
        return Target("*", "", None, None) if method == "OPTIONS" else None
    found = _ABSOLUTE.fullmatch(target)
    if found is None or not valid_authority(found[2]):
        return None
    path, _, query = found[3].partition("?")
    return Target(path or "/", query, found[1].lower(), found[2])


def valid_authority(text: str) -> bool:
    """Whether this is a host, perhaps with a port: no user, not empty (RFC 9110, sections 4.2.1 and 4.2.4)."""
    found = _AUTHORITY.fullmatch(text)
    if found is None or int(found["port"] or 0) > 65535:
        return False
    if found["v6"] is not None:  # RFC 3986, section 3.2.2: an IPv6 address; IPvFuture has no version yet
        try:
            ipaddress.IPv6Address(found["v6"])
        except ValueError:
            return False
    return True


def effective_uri(scheme: str, authority: str, target: str, path: str, query: str) -> str:
    """The URI of a request, such that URIs which section 4.2.3 of RFC 9110 calls equal are the same text."""
    host = _without_default_port(scheme, authority.lower())
    if path == "*":  # RFC 9112, section 3.2.4: the server as a whole
        return f"{scheme}://{host}"
    rest = f"{path}?{query}" if query or "?" in target else path
    if "%" in rest:
        rest = _ENCODED.sub(_normal_octet, rest)
    return f"{scheme}://{host}{rest}"


def _without_default_port(scheme: str, authority: str) -> str:
    host, colon, port = authority.rpartition(":")
    return host if colon and port in ("", _DEFAULT_PORTS.get(scheme)) else authority


def _normal_octet(found: re.Match[str]) -> str:
    """RFC 3986, section 6.2.2: unreserved characters stand for themselves, other octets in capitals."""
    char = chr(int(found[1], 16))
    return char if char in _UNRESERVED else f"%{found[1].upper()}"
