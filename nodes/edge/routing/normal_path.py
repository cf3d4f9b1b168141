"""A path as rules see it: equivalent spellings made one (RFC 3986, section 6.2.2), so that no spelling evades a rule.

Only rules see it. Cache keys and origins get the path as it came, because an origin may answer two spellings differently.
"""

from __future__ import annotations

import re

_ESCAPE = re.compile("%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def normal_path(path: str) -> str:
    """Unreserved characters decoded, other escapes in upper case, dot segments removed."""
    if "%" in path:
        path = _ESCAPE.sub(_decoded, path)
    if "/." in path:
        path = _without_dots(path)
    return path


def _decoded(match: re.Match[str]) -> str:
    char = chr(int(match.group(1), 16))
    return char if char in _UNRESERVED else match.group(0).upper()


def _without_dots(path: str) -> str:
    """RFC 3986, section 5.2.4, for a path that begins with a slash."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)
