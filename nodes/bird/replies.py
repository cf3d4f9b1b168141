"""What BIRD says on its control socket, read: replies line by line, and the routes of `show route all`.

It has no socket (`control.py` has). The form: "Remote control" in BIRD's developer documentation; each line has a code of four
digits and a mark, `-` when more follow, or a space for the last; a line that begins with a space has the code of that before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from nodes.steering.routes import Route, RouteError, parse

ROUTE, KIND, ATTRIBUTES = 1007, 1008, 1012
FIRST_ERROR = 8000

_CODED = re.compile(r"(\d{4})([ -])(.*)", re.S)
_ROUTE = re.compile(r"(\S+/\d+)?\s+(\w+) \[\S+ [^\]]*\]( \*)?.*")
_SET = re.compile(r"\{[^}]*\}")


class ReplyError(ValueError):
    """A reply that is an error of BIRD's, or none at all."""


def whole(data: bytes) -> bool:
    """Whether the last line of a reply has come."""
    last = data[data.rfind(b"\n", 0, -1) + 1 :]
    return last.endswith(b"\n") and re.match(rb"\d{4} ", last) is not None


def lines(reply: str) -> Iterator[tuple[int, str]]:
    """Each line with its code. Raises ReplyError for BIRD's own errors and for what is no reply."""
    code: int | None = None
    for line in reply.splitlines():
        match = _CODED.fullmatch(line)
        if match:
            code, text = int(match[1]), match[3]
        elif code is not None and line.startswith((" ", "+")):
            text = line[1:]
        else:
            raise ReplyError(f"BIRD said {line[:80]!r}, which is no reply")
        if code >= FIRST_ERROR:
            raise ReplyError(f"BIRD said '{text.strip()}' ({code})")
        yield code, text


def learned(reply: str) -> list[Route]:
    """The routes that BIRD prefers of those that came by BGP, of the reply to `show route all`. Raises ReplyError."""
    found: list[Route] = []
    prefix: str | None = None
    preferred = by_bgp = False
    values: dict[str, str] = {}

    def finish() -> None:
        if prefix is not None and preferred and by_bgp:
            found.append(_route(prefix, values))

    for code, text in lines(reply):
        match = _ROUTE.fullmatch(text) if code == ROUTE else None
        if match:
            finish()
            prefix, preferred, by_bgp, values = match[1] or prefix, match[3] is not None, False, {}
        elif code == KIND:
            by_bgp = text.strip().startswith("Type: BGP")
        elif code == ATTRIBUTES:
            name, _, value = text.strip().partition(":")
            values[name] = value.strip()
    finish()
    return found


def _route(prefix: str, values: dict[str, str]) -> Route:
    try:
        return parse({"prefix": prefix, "as_path": as_path(values.get("BGP.as_path", "")),
                      "next_hop": values.get("BGP.next_hop", "").split(" ")[0]})  # fmt: skip
    except RouteError as error:
        raise ReplyError(f"BIRD tells a route that cannot be: {error}") from error


def as_path(text: str) -> list[int]:
    """AS numbers of a path as BIRD writes it. A set counts as one (RFC 4271, section 9.1.2.2): its first number stands for it.
    Members of a confederation, in round brackets, do not count (RFC 5065, section 5.3). Raises ReplyError."""
    text = re.sub(r"\([^)]*\)", " ", text)
    words = _SET.sub(lambda match: (match[0].strip("{}").split() or [""])[0], text).split()
    if wrong := [word for word in words if not word.isdecimal()]:
        raise ReplyError(f"BIRD tells an AS path with '{wrong[0]}'")
    return list(map(int, words))


